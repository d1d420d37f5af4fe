/** The section of the settings to delete the account, with its dialog, and the dialog that undoes it at the next sign-in. */

import { confirmDialog, h, icon } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
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
    h("div.page-head", {}, h("h1", {}, "Delete account")),
    h(
      "div.settings-parts",
      {},
      h(
        "section",
        {},
        h("p", {}, "Your profile, photos and comments are deleted, with everything else that belongs to your account."),
        h("p.secondary", {}, "If you want to keep a copy, ", h("a.link", { href: "/settings/data" }, "export your data"), " first."),
        h("div", {}, h("button.button.plain", { type: "button", onclick: deleteAccount }, icon("trash"), "Delete account")),
      ),
    ),
  );
  return { title: "Delete account", element };
}

/** Ask for the password, if the account has one, delete the account, and show until when that can be undone. */
async function deleteAccountDialog(app) {
  const [{ grace_days: days }, { password: hasPassword }] = await Promise.all([app.api.get("/users/me/deletion"), app.api.get("/users/me/identities")]);
  const undo =
    days > 0
      ? `For ${days} ${days === 1 ? "day" : "days"} you can undo that: sign in again. After that everything is deleted for good.`
      : "Everything is deleted for good, and cannot be restored.";
  const password = field("password", "Password", { kind: "password", attributes: { autocomplete: "current-password" } });
  const sheet = form({
    inputs: hasPassword ? [password] : [],
    action: "Delete account",
    danger: true,
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, "Cancel"),
    submit: async () => {
      if (hasPassword && password.input.value === "") {
        throw Object.assign(new Error("Enter your password."), { fields: { password: "Enter your password." } });
      }
      const dueAt = await app.session.deleteAccount(hasPassword ? password.input.value : null);
      dialog.close();
      app.toasts.show(dueAt ? `Your account is deleted. Until ${formattedDate(dueAt)} you can undo that.` : "Your account is deleted.");
    },
  });
  const dialog = h(
    "dialog.keep",
    { "aria-labelledby": "delete-account-heading" },
    h("h2", { id: "delete-account-heading" }, "Delete your account?"),
    h("p", {}, `Your profile, photos and comments disappear at once, and you are signed out everywhere. ${undo}`),
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
    heading: "Restore your account?",
    text: `You have deleted this account. Until ${formattedDate(deletionDueAt)} you can restore it, with everything as it was.`,
    action: "Restore account",
    danger: false,
  });
}
