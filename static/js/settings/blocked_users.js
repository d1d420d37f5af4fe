/** The section of the settings with the accounts that the user has blocked or muted. */

import { append, fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { userRow } from "../users/user.js";

const PAGE_SIZE = 50;

/** Create the page at "/settings/blocked". */
export function blockedSection(app) {
  const blocked = new UndoList(app, {
    heading: t("Blocked"),
    text: t("Neither of you sees the other."),
    none: t("You have not blocked anyone. You can, in the menu of a profile."),
    path: "/users/me/blocks",
    act: "block",
    action: t("Unblock"),
    full: (name) => t("Unblock {name}", { name }),
    done: (name) => t("{name} is unblocked.", { name }),
  });
  const muted = new UndoList(app, {
    heading: t("Muted"),
    text: t("Their photos stay out of your feed, and what they do out of your notifications. They do not know."),
    none: t("You have not muted anyone. You can, in the menu of a profile."),
    path: "/users/me/mutes",
    act: "mute",
    action: t("Unmute"),
    full: (name) => t("Unmute {name}", { name }),
    done: (name) => t("{name} is unmuted.", { name }),
  });
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Blocked and muted"))),
    h("div.settings-parts", {}, blocked.element, muted.element),
  );
  return { title: t("Blocked and muted"), element };
}

/** A list of accounts, each with a button that undoes what has put it there. */
class UndoList {
  #app;
  #options;
  #cursor = null;
  #heading;
  #list = h("ul.user-list.panel", { hidden: true });
  #tail = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading") }));
  element;

  constructor(app, options) {
    this.#app = app;
    this.#options = options;
    this.#heading = h("h2", { tabindex: "-1" }, options.heading);
    this.element = h("section.undo-list", { "aria-label": options.heading }, this.#heading, h("p.secondary", {}, options.text), this.#list, this.#tail);
    this.#load();
  }

  async #load() {
    const { path } = this.#options;
    try {
      const { items, next } = await this.#app.api.get(path, { cursor: this.#cursor, limit: PAGE_SIZE });
      this.#cursor = next;
      append(this.#list, items.map((user) => this.#row(user)));
      this.#drawTail();
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: () => this.#load() }, t("Try again"));
      fill(this.#tail, h("p.form-error", { role: "alert" }, error.message), again);
    }
  }

  #drawTail() {
    const more = h("button.button.plain", { type: "button", onclick: () => this.#load() }, t("Show more"));
    const empty = this.#list.childElementCount === 0;
    this.#list.hidden = empty;
    if (this.#cursor) fill(this.#tail, more);
    else fill(this.#tail, empty && h("p.none", {}, this.#options.none));
  }

  #row(user) {
    const { act, action, full, done } = this.#options;
    const button = h("button.button.plain.compact", { type: "button", "aria-label": full(user.username) }, action);
    const row = h("li", {}, userRow(user, button));
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await this.#app.api.delete(`/users/${user.id}/${act}`);
        this.#remove(row);
        this.#app.toasts.show(done(`@${user.username}`));
      } catch (error) {
        button.disabled = false;
        this.#app.toasts.error(error);
      }
    });
    return row;
  }

  /** Remove a row, and focus what is next in the list, so that the keyboard stays there. */
  #remove(row) {
    const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector("button");
    row.remove();
    this.#drawTail();
    (next ?? this.#heading).focus();
  }
}
