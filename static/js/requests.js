/** Requests to follow a private account: who asks, and the owner's answer. */

import { fill, h } from "./dom.js";
import { personRow } from "./person.js";

/** Requests shown at once; the rest comes when these are answered. */
const SHOWN = 20;

export class FollowRequests {
  #app;
  element = h("section", { "aria-label": "Requests to follow you" });

  constructor(app) {
    this.#app = app;
  }

  /** Fetch who asks, and show them. */
  async load() {
    const { items } = await this.#app.api.get("/users/me/follow-requests", { limit: SHOWN });
    const rows = items.map((person) => this.#row(person));
    fill(this.element, rows.length > 0 && [h("h2.section-head", {}, "Requests"), h("ul.people.panel", {}, rows)]);
  }

  #row(person) {
    const answer = async (method) => {
      for (const button of buttons) button.disabled = true;
      try {
        await this.#app.api[method](`/users/me/follow-requests/${person.id}`);
        await this.load();
      } catch (error) {
        this.#app.toasts.error(error);
        for (const button of buttons) button.disabled = false;
      }
    };
    const buttons = [
      h("button.button.compact", { type: "button", onclick: () => answer("put") }, "Accept"),
      h("button.button.plain.compact", { type: "button", onclick: () => answer("delete") }, "Decline"),
    ];
    return h("li", {}, personRow(person, ...buttons));
  }
}
