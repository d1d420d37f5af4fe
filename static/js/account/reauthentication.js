/** The dialog in which users prove that it is them, before a dangerous step. */

import { fill, h } from "../elements/dom.js";
import { field, form, requireValues } from "../elements/form.js";
import { codeField } from "./code_field.js";
import { answerByPasskey, passkeysAvailable } from "./passkeys.js";
import { t } from "../elements/texts.js";

/** Ask for a proof; resolves to true once one is accepted, false if the user cancels. */
export function proveIdentity(app) {
  return new Promise((resolve) => {
    const prove = async (body) => {
      await app.api.post("/users/me/reauthentication", body);
      dialog.close("yes");
    };
    const password = field("password", t("Password"), { kind: "password", attributes: { autocomplete: "current-password" } });
    const code = codeField();
    const byPassword = form({
      inputs: [password],
      action: t("Continue"),
      submit: async () => {
        requireValues([password, t("Enter your password.")]);
        await prove({ password: password.input.value });
      },
    });
    const byCode = form({
      inputs: [code],
      action: t("Continue"),
      submit: async () => {
        requireValues([code, t("Enter the code.")]);
        await prove({ code: code.input.value.trim() });
      },
    });
    byCode.hidden = true;
    const change = h("button.button.plain.full", { type: "button" }, t("Use a code"));
    change.addEventListener("click", () => {
      byCode.hidden = !byCode.hidden;
      byPassword.hidden = !byCode.hidden;
      fill(change, byCode.hidden ? t("Use a code") : t("Use your password"));
      (byCode.hidden ? password : code).input.focus();
    });
    const passkeyError = h("p.form-error", { role: "alert", hidden: true });
    const usePasskey = async () => {
      passkeyError.hidden = true;
      try {
        const { public_key: options } = await app.api.post("/passkeys/challenge", undefined, { anonymous: true });
        const credential = await answerByPasskey(options);
        if (credential) await prove({ credential });
      } catch (error) {
        passkeyError.textContent = error.message;
        passkeyError.hidden = false;
      }
    };
    const note = h("p.secondary", {}, t("You signed in some time ago, and this step is for you alone."));
    const dialog = h(
      "dialog.keep.proof-dialog",
      { "aria-labelledby": "proof-heading" },
      h("h2", { id: "proof-heading" }, t("Confirm that it is you")),
      note,
      byPassword,
      byCode,
      h(
        "div.proof-ways",
        {},
        passkeyError,
        passkeysAvailable() && h("button.button.plain.full", { type: "button", onclick: usePasskey }, t("Use a passkey")),
        change,
        h("button.button.plain.full", { type: "button", onclick: () => dialog.close("") }, t("Cancel")),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    password.input.focus();
    app.api
      .get("/users/me/identities")
      .then(({ password: hasPassword }) => {
        if (hasPassword) return;
        byPassword.hidden = true;
        change.hidden = true;
        byCode.hidden = false;
        fill(note, t("You signed in some time ago, and this step is for you alone. Use a passkey or a code if you have one. If not, sign out, and sign in with your provider again."));
      })
      .catch(() => {});
  });
}
