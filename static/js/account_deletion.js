/** Dialogs to delete the account, and to undo that at the next sign-in. */

import { confirmDialog, h } from "./dom.js";
import { field, form } from "./form.js";
import { formattedDate } from "./time.js";

/** Ask for the password, delete the account, and show until when that can be undone. */
export async function deleteAccountDialog(app) {
  const { grace_days: days } = await app.api.get("/users/me/deletion");
  const undo =
    days > 0
      ? `For ${days} ${days === 1 ? "day" : "days"} you can undo that: sign in again. After that everything is deleted for good.`
      : "Everything is deleted for good, and cannot be restored.";
  const password = field("password", "Password", { kind: "password", attributes: { autocomplete: "current-password" } });
  const sheet = form({
    inputs: [password],
    action: "Delete account",
    danger: true,
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, "Cancel"),
    submit: async () => {
      if (password.input.value === "") {
        throw Object.assign(new Error("Enter your password."), { fields: { password: "Enter your password." } });
      }
      const dueAt = await app.session.deleteAccount(password.input.value);
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
    const restored = await confirmDialog({
      heading: "Restore your account?",
      text: `You have deleted this account. Until ${formattedDate(error.deletionDueAt)} you can restore it, with everything as it was.`,
      action: "Restore account",
      danger: false,
    });
    if (restored) await app.session.restore(username, password);
    return restored;
  }
}
