/** Photos and comment threads without notifications: their list, and the items of menus that mute one. */

import { append, fill, h } from "../elements/dom.js";
import { photoPath } from "./photo_image.js";
import { t } from "../elements/texts.js";

const PAGE_SIZE = 20;
const MUTED = {
  photo: t("You get no more notifications about this photo"),
  thread: t("You get no more notifications about this thread"),
};

/** Return the item of a menu that mutes a photo or a comment's thread; `what` is "photo" or "thread". */
export function muteItem(app, path, what) {
  return ["mute", t("Mute notifications"), () => mute(app, path, what)];
}

async function mute(app, path, what) {
  try {
    await app.api.put(path);
    app.toasts.show(MUTED[what], { iconName: "check", href: "/settings/notifications" });
  } catch (error) {
    app.toasts.error(error);
  }
}

export class MutedSubjects {
  #app;
  #cursor = null;
  #list = h("ul.muted-list.panel", { hidden: true });
  #tail = h("div");
  #heading = h("h2", { tabindex: "-1" }, t("Muted photos and threads"));
  element;

  constructor(app) {
    this.#app = app;
    this.element = h("section", { "aria-label": t("Muted photos and threads") }, this.#heading, this.#list, this.#tail);
    this.#load();
  }

  async #load() {
    fill(this.#tail, h("div.spinner", { role: "status", "aria-label": t("Loading") }));
    try {
      const { items, next } = await this.#app.api.get("/notifications/mutes", { cursor: this.#cursor, limit: PAGE_SIZE });
      this.#cursor = next;
      append(this.#list, items.map((item) => this.#row(item)));
      this.#drawTail();
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: () => this.#load() }, t("Try again"));
      fill(this.#tail, h("p.form-error", { role: "alert" }, error.message), again);
    }
  }

  #drawTail() {
    const empty = this.#list.childElementCount === 0;
    this.#list.hidden = empty;
    if (this.#cursor) fill(this.#tail, h("button.button.plain", { type: "button", onclick: () => this.#load() }, t("Show more")));
    else fill(this.#tail, empty && h("p.secondary", {}, t("There are none. The menus of photos and comments have “Mute notifications”.")));
  }

  #row(item) {
    const path = item.comment_id ? `/comments/${item.comment_id}/mute` : `/photos/${item.photo_id}/mute`;
    const link = h("a", { href: photoPath(item.photo_id) }, item.comment_id ? threadText(item) : t("Photo"));
    const button = h("button.button.plain.compact", { type: "button" }, t("Unmute"));
    const row = h("li", {}, link, button);
    if (!item.comment_id) this.#name(link, item.photo_id);
    button.addEventListener("click", () => this.#unmute(path, row, button));
    return row;
  }

  /** Name a photo by its caption, as far as the user may see it. */
  async #name(link, photoId) {
    try {
      const photo = await this.#app.api.get(`/photos/${photoId}`);
      fill(link, photo.caption || t("A photo of {name}", { name: photo.author.username }));
    } catch {
      fill(link, t("A photo that you cannot see any more"));
    }
  }

  async #unmute(path, row, button) {
    button.disabled = true;
    try {
      await this.#app.api.delete(path);
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      this.#drawTail();
      (next?.querySelector("button") ?? this.#heading).focus();
    } catch (error) {
      button.disabled = false;
      this.#app.toasts.error(error);
    }
  }
}

function threadText({ comment }) {
  return comment ? t("Comments below “{comment}”", { comment: comment.excerpt }) : t("Comments that you cannot see any more");
}
