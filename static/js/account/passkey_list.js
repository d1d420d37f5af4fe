/** Passkeys in the settings: their list, and the dialog for the name of a new one. */

import { confirmDialog, fill, h, icon } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { makePasskey, passkeysAvailable } from "./passkeys.js";
import { timeElement } from "../elements/time.js";

export class PasskeyList {
  #app;
  #content = h("div.settings-state", {}, h("div.spinner", { role: "status", "aria-label": "Loading" }));
  element;

  constructor(app) {
    this.#app = app;
    const add = h("button.button.plain", { type: "button", onclick: () => this.#try(() => this.#add()) }, icon("plus"), "Add a passkey");
    this.element = h(
      "section",
      { "aria-label": "Passkeys" },
      h("h2", {}, "Passkeys"),
      h("p.secondary", {}, "Sign in with your finger, your face or a security key, without a password."),
      this.#content,
      passkeysAvailable() ? h("div", {}, add) : h("p.secondary.small", {}, "This browser makes no passkeys at this address: they need https and a domain."),
    );
    this.#load();
  }

  async #load() {
    try {
      const { items } = await this.#app.api.get("/users/me/passkeys");
      if (items.length === 0) fill(this.#content, h("p", {}, "You have none yet."));
      else fill(this.#content, h("ul.user-list.panel", {}, items.map((passkey) => h("li", {}, this.#row(passkey)))));
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: () => this.#load() }, "Try again");
      fill(this.#content, h("p.form-error", { role: "alert" }, error.message), again);
    }
  }

  #row({ id, name, created_at: createdAt, last_used_at: lastUsedAt }) {
    const act = (label, action) =>
      h("button.button.plain.compact", { type: "button", "aria-label": `${label} ${name}`, onclick: () => this.#try(action) }, label);
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
          "Added ",
          timeElement(createdAt, { inSentence: true }),
          lastUsedAt && [", used ", timeElement(lastUsedAt, { inSentence: true })],
        ),
      ),
      act("Rename", () => this.#rename(id, name)),
      act("Delete", () => this.#delete(id, name)),
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
    this.#app.toasts.show("The passkey is added.", { iconName: "check" });
    this.#load();
  }

  #rename(id, name) {
    const chosen = field("name", "Name", { attributes: { maxlength: 60, value: name, dir: "auto" } });
    const sheet = form({
      inputs: [chosen],
      action: "Rename",
      extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, "Cancel"),
      submit: async () => {
        await this.#app.api.patch(`/users/me/passkeys/${id}`, { name: chosen.input.value.trim() });
        dialog.close();
        this.#load();
      },
    });
    const dialog = h("dialog.keep", { "aria-labelledby": "passkey-heading" }, h("h2", { id: "passkey-heading" }, "Rename the passkey"), sheet);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  async #delete(id, name) {
    const sure = await confirmDialog({
      heading: "Delete this passkey?",
      text: `You cannot sign in with “${name}” any more. Remove it from your device as well.`,
      action: "Delete",
    });
    if (!sure) return;
    await this.#app.api.delete(`/users/me/passkeys/${id}`);
    this.#load();
  }
}

/** Return a name for a passkey that is made in this browser. */
function thisDevice() {
  const system = /iPhone|iPad|Android|Windows|Mac|CrOS|Linux/.exec(navigator.userAgent)?.[0] ?? "";
  return system ? `Passkey (${system})` : "Passkey";
}
