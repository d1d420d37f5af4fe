/** The section of the settings to delete the account, with its dialog, and the dialog that undoes it at the next sign-in. */

import { confirmDialog, h, icon } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { t, tn } from "../elements/texts.js";
import { formattedDate } from "../elements/time.js";

/** Create the page at "/settings/deletion". */
export function deletionSection(app) {
  const deleteAccount = async () => {
    try {
      await deleteAccountDialog(app);
    } catch (error) {
      app.toasts.error(error);
    }
  };
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Delete account"))),
    h(
      "div.settings-parts",
      {},
      h(
        "section",
        {},
        h("p", {}, t("Your profile, photos and comments are deleted, with everything else that belongs to your account.")),
        h("p.secondary", {}, t("If you want to keep a copy, <link>export your data</link> first.", { link: (text) => h("a.link", { href: "/settings/data" }, text) })),
        h("div", {}, h("button.button.plain", { type: "button", onclick: deleteAccount }, icon("trash"), t("Delete account"))),
      ),
    ),
  );
  return { title: t("Delete account"), element };
}

/** Ask for the password, if the account has one, delete the account, and show until when that can be undone. */
async function deleteAccountDialog(app) {
  const [{ grace_days: days }, { password: hasPassword }] = await Promise.all([app.api.get("/users/me/deletion"), app.api.get("/users/me/identities")]);
  const undo =
    days > 0
      ? tn(
          "For {count} day you can undo that: sign in again. After that everything is deleted for good.",
          "For {count} days you can undo that: sign in again. After that everything is deleted for good.",
          days,
        )
      : t("Everything is deleted for good, and cannot be restored.");
  const password = field("password", t("Password"), { kind: "password", attributes: { autocomplete: "current-password" } });
  const sheet = form({
    inputs: hasPassword ? [password] : [],
    action: t("Delete account"),
    danger: true,
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Cancel")),
    submit: async () => {
      if (hasPassword && password.input.value === "") {
        throw Object.assign(new Error(t("Enter your password.")), { fields: { password: t("Enter your password.") } });
      }
      const dueAt = await app.session.deleteAccount(hasPassword ? password.input.value : null);
      dialog.close();
      app.toasts.show(dueAt ? t("Your account is deleted. Until {date} you can undo that.", { date: formattedDate(dueAt) }) : t("Your account is deleted."));
    },
  });
  const dialog = h(
    "dialog.keep",
    { "aria-labelledby": "delete-account-heading" },
    h("h2", { id: "delete-account-heading" }, t("Delete your account?")),
    h("p", {}, t("Your profile, photos and comments disappear at once, and you are signed out everywhere."), " ", undo),
    sheet,
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Sign in; if the account is deleted, offer to undo that, and return whether a session has begun. */
export async function signInOrRestore(app, username, password) {
  try {
    await app.session.signIn(username, password);
    return true;
  } catch (error) {
    if (error.code !== "deletion_pending") throw error;
    const restored = await offerToRestore(error);
    if (restored) await app.session.restore(username, password);
    return restored;
  }
}

/** Ask whether a deleted account is to be restored; `error` is the response of the sign-in. */
export function offerToRestore({ deletionDueAt }) {
  return confirmDialog({
    heading: t("Restore your account?"),
    text: t("You have deleted this account. Until {date} you can restore it, with everything as it was.", { date: formattedDate(deletionDueAt) }),
    action: t("Restore account"),
    danger: false,
  });
}
