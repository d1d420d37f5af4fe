/** The list of requests to follow a private account, with buttons to accept and decline. */

import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { userRow } from "./user.js";

/** Requests shown at a time; the others follow when these are answered. */
const PAGE_SIZE = 20;

export class FollowRequests {
  #app;
  element = h("section", { "aria-label": t("Requests to follow you") });

  constructor(app) {
    this.#app = app;
  }

  /** Fetch and show the requests. */
  async load() {
    const { items } = await this.#app.api.get("/users/me/follow-requests", { limit: PAGE_SIZE });
    const rows = items.map((user) => this.#row(user));
    fill(this.element, rows.length > 0 && [h("h2.section-head", {}, t("Follow requests")), h("ul.user-list.panel", {}, rows)]);
  }

  #row(user) {
    const respond = async (method) => {
      for (const button of buttons) button.disabled = true;
      try {
        await this.#app.api[method](`/users/me/follow-requests/${user.id}`);
        await this.load();
      } catch (error) {
        this.#app.toasts.error(error);
        for (const button of buttons) button.disabled = false;
      }
    };
    const buttons = [
      h("button.button.compact", { type: "button", onclick: () => respond("put") }, t("Accept")),
      h("button.button.plain.compact", { type: "button", onclick: () => respond("delete") }, t("Decline")),
    ];
    return h("li", {}, userRow(user, ...buttons));
  }
}
