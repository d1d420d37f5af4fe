/** Two-factor sign-in in the settings: its state, the dialogs that turn it on, and the recovery codes. */

import { confirmDialog, fill, h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { t, tn } from "../elements/texts.js";
import { dateElement } from "../elements/time.js";

export class SecondFactor {
  #app;
  #content = h("div.settings-state", {}, h("div.spinner", { role: "status", "aria-label": t("Loading") }));
  element;

  constructor(app) {
    this.#app = app;
    this.element = h(
      "section",
      { "aria-label": t("Two-factor sign-in") },
      h("h2", {}, t("Two-factor sign-in")),
      h("p.secondary", {}, t("After your password, a sign-in asks for a code of an application on your phone.")),
      this.#content,
    );
    this.#load();
  }

  async #load() {
    try {
      this.#draw(await this.#app.api.get("/users/me/totp"));
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: () => this.#load() }, t("Try again"));
      fill(this.#content, h("p.form-error", { role: "alert" }, error.message), again);
    }
  }

  #draw({ enabled, enabled_at: since, recovery_codes: left }) {
    const button = (label, act) => h("button.button.plain", { type: "button", onclick: () => this.#try(act) }, label);
    if (!enabled) {
      fill(this.#content, h("p", {}, t("It is off.")), h("div", {}, button(t("Turn on"), () => this.#begin())));
      return;
    }
    const codes = tn("{count} recovery code is left.", "{count} recovery codes are left.", left);
    fill(
      this.#content,
      h("p", {}, t("It is on since {date}.", { date: dateElement(since) }), " ", codes),
      h("div.buttons", {}, button(t("New recovery codes"), () => this.#renew()), button(t("Turn off"), () => this.#turnOff())),
    );
  }

  async #try(act) {
    try {
      await act();
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  async #begin() {
    const factor = await this.#app.api.post("/users/me/totp");
    const code = field("code", t("Code"), {
      hint: t("The six digits that the application shows now."),
      attributes: { autocomplete: "one-time-code", inputmode: "numeric", maxlength: 7 },
    });
    const sheet = form({
      inputs: [code],
      action: t("Turn on"),
      extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Cancel")),
      submit: async () => {
        const digits = code.input.value.replaceAll(/\s/g, "");
        if (!/^\d{6}$/.test(digits)) {
          throw Object.assign(new Error(t("Enter six digits.")), { fields: { code: t("Enter the six digits that the application shows.") } });
        }
        const { recovery_codes: codes } = await this.#app.api.post("/users/me/totp/confirmation", { code: digits });
        dialog.close();
        this.#showCodes(codes);
        this.#load();
      },
    });
    const dialog = open(
      "factor-heading",
      t("Turn on two-factor sign-in"),
      h("p.secondary", {}, t("Scan the code with an authenticator application, or type the key into it.")),
      // The picture is a document of its own, which the page does not parse.
      h("img.qr-code", { alt: t("QR code for your authenticator application"), src: `data:image/svg+xml,${encodeURIComponent(factor.qr_svg)}` }),
      h("code.webhook-secret", { tabindex: "0", "aria-label": t("Key") }, factor.secret.replaceAll(/(.{4})(?=.)/g, "$1 ")),
      sheet,
    );
    code.input.focus();
  }

  async #renew() {
    const sure = await confirmDialog({
      heading: t("Replace the recovery codes?"),
      text: t("Those that you have stop working."),
      action: t("Replace"),
      danger: false,
    });
    if (!sure) return;
    const { recovery_codes: codes } = await this.#app.api.post("/users/me/recovery-codes");
    this.#showCodes(codes);
    this.#load();
  }

  async #turnOff() {
    const sure = await confirmDialog({
      heading: t("Turn off two-factor sign-in?"),
      text: t("Your password alone will be enough to sign in."),
      action: t("Turn off"),
    });
    if (!sure) return;
    await this.#app.api.delete("/users/me/totp");
    this.#load();
  }

  #showCodes(codes) {
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(codes.join("\n"));
        this.#app.toasts.show(t("Copied"), { iconName: "check" });
      } catch {
        // Without a secure context there is no clipboard; the codes can be selected.
        getSelection().selectAllChildren(list);
      }
    };
    const list = h("ul.recovery-codes", {}, codes.map((code) => h("li", {}, h("code", {}, code))));
    const dialog = open(
      "codes-heading",
      t("Your recovery codes"),
      h("p.secondary", {}, t("Each replaces a code once, if you lose your phone. They are shown only now: keep them where no one else can read them.")),
      list,
      h(
        "div.dialog-actions",
        {},
        h("button.button.plain", { type: "button", onclick: copy }, t("Copy")),
        h("button.button", { type: "button", onclick: () => dialog.close() }, t("Done")),
      ),
    );
  }
}

function open(id, heading, ...content) {
  const dialog = h("dialog.keep.factor-dialog", { "aria-labelledby": id }, h("h2", { id }, heading), content);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
