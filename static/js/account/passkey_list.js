/** Passkeys in the settings: their list, and the dialog for the name of a new one. */

import { confirmDialog, fill, h, icon } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { makePasskey, passkeysAvailable } from "./passkeys.js";
import { t } from "../elements/texts.js";
import { timeElement } from "../elements/time.js";

export class PasskeyList {
  #app;
  #content = h("div.settings-state", {}, h("div.spinner", { role: "status", "aria-label": t("Loading") }));
  element;

  constructor(app) {
    this.#app = app;
    const add = h("button.button.plain", { type: "button", onclick: () => this.#try(() => this.#add()) }, icon("plus"), t("Add a passkey"));
    this.element = h(
      "section",
      { "aria-label": t("Passkeys") },
      h("h2", {}, t("Passkeys")),
      h("p.secondary", {}, t("Sign in with your finger, your face or a security key, without a password.")),
      this.#content,
      passkeysAvailable() ? h("div", {}, add) : h("p.secondary.small", {}, t("This browser makes no passkeys at this address: they need https and a domain.")),
    );
    this.#load();
  }

  async #load() {
    try {
      const { items } = await this.#app.api.get("/users/me/passkeys");
      if (items.length === 0) fill(this.#content, h("p", {}, t("You have none yet.")));
      else fill(this.#content, h("ul.user-list.panel", {}, items.map((passkey) => h("li", {}, this.#row(passkey)))));
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: () => this.#load() }, t("Try again"));
      fill(this.#content, h("p.form-error", { role: "alert" }, error.message), again);
    }
  }

  #row({ id, name, created_at: createdAt, last_used_at: lastUsedAt }) {
    const act = (label, full, action) =>
      h("button.button.plain.compact", { type: "button", "aria-label": full, onclick: () => this.#try(action) }, label);
    return h(
      "div.user-row",
      {},
      h(
        "span.user-names",
        {},
        h("span.name", { dir: "auto" }, name),
        h(
          "span.secondary.small",
          {},
          lastUsedAt
            ? t("Added {added}, used {used}", { added: timeElement(createdAt, { inSentence: true }), used: timeElement(lastUsedAt, { inSentence: true }) })
            : t("Added {added}", { added: timeElement(createdAt, { inSentence: true }) }),
        ),
      ),
      act(t("Rename"), t("Rename {name}", { name }), () => this.#rename(id, name)),
      act(t("Delete"), t("Delete {name}", { name }), () => this.#delete(id, name)),
    );
  }

  async #try(act) {
    try {
      await act();
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  async #add() {
    const { public_key: options } = await this.#app.api.post("/users/me/passkeys/challenge");
    const credential = await makePasskey(options);
    if (!credential) return;
    await this.#app.api.post("/users/me/passkeys", { credential, name: thisDevice() });
    this.#app.toasts.show(t("The passkey is added."), { iconName: "check" });
    this.#load();
  }

  #rename(id, name) {
    const chosen = field("name", t("Name"), { attributes: { maxlength: 60, value: name, dir: "auto" } });
    const sheet = form({
      inputs: [chosen],
      action: t("Rename"),
      extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Cancel")),
      submit: async () => {
        await this.#app.api.patch(`/users/me/passkeys/${id}`, { name: chosen.input.value.trim() });
        dialog.close();
        this.#load();
      },
    });
    const dialog = h("dialog.keep", { "aria-labelledby": "passkey-heading" }, h("h2", { id: "passkey-heading" }, t("Rename the passkey")), sheet);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  async #delete(id, name) {
    const sure = await confirmDialog({
      heading: t("Delete this passkey?"),
      text: t("You cannot sign in with “{name}” any more. Remove it from your device as well.", { name }),
      action: t("Delete"),
    });
    if (!sure) return;
    await this.#app.api.delete(`/users/me/passkeys/${id}`);
    this.#load();
  }
}

/** Return a name for a passkey that is made in this browser. */
function thisDevice() {
  const system = /iPhone|iPad|Android|Windows|Mac|CrOS|Linux/.exec(navigator.userAgent)?.[0] ?? "";
  return system ? t("Passkey ({system})", { system }) : t("Passkey");
}
