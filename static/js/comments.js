/** The comments of an open photo: oldest first, with new ones added live at the end. */

import { idempotencyKey } from "./api.js";
import { append, confirmDialog, fill, h, icon } from "./dom.js";
import { timeElement } from "./time.js";
import { avatar, nameLink, profilePath } from "./user.js";

const MAX_LENGTH = 1000;

export class Comments {
  #app;
  #photo;
  #rows = new Map();
  #cursor = null;
  #list = h("ol.comments", { "aria-live": "polite", "aria-relevant": "additions", "aria-label": "Comments" });
  #earlier = h("div");
  #none = h("p.secondary.comments", { hidden: true }, "No comments yet.");

  constructor(app, photo) {
    this.#app = app;
    this.#photo = photo;
    this.scroll = h("div.comments-scroll", {}, this.#earlier, this.#none, this.#list);
    this.form = this.#makeForm();
    this.load();
  }

  /** Fetch the newest page and add what is missing, at first and after an interruption. */
  async load() {
    try {
      const { items, next } = await this.#app.api.get(`/photos/${this.#photo.id}/comments`, { limit: 30 });
      if (this.#rows.size === 0) this.#cursor = next;
      for (const comment of items.reverse()) this.add(comment, { quietly: true });
      this.#update();
      this.scroll.scrollTop = this.scroll.scrollHeight;
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  /** Show a comment in its place by time, unless it is shown already. */
  add(comment, { quietly = false } = {}) {
    if (this.#rows.has(comment.id)) return;
    const row = this.#row(comment);
    this.#rows.set(comment.id, row);
    const later = [...this.#list.children].find((other) => other.dataset.comment > comment.id);
    this.#list.insertBefore(row, later ?? null);
    if (!quietly) {
      row.classList.add("arriving");
      this.scroll.scrollTop = this.scroll.scrollHeight;
    }
    this.#update();
  }

  /** Remove a comment. */
  remove(id) {
    this.#rows.get(id)?.remove();
    this.#rows.delete(id);
    this.#update();
  }

  #update() {
    this.#none.hidden = this.#rows.size > 0;
    fill(
      this.#earlier,
      this.#cursor && h("button.text-button", { type: "button", onclick: () => this.#loadEarlier() }, "Show earlier comments"),
    );
  }

  async #loadEarlier() {
    try {
      const { items, next } = await this.#app.api.get(`/photos/${this.#photo.id}/comments`, { cursor: this.#cursor, limit: 30 });
      this.#cursor = next;
      const height = this.scroll.scrollHeight;
      for (const comment of items) this.add(comment, { quietly: true });
      // Keep the visible comments in place.
      this.scroll.scrollTop += this.scroll.scrollHeight - height;
      this.#update();
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  #row(comment) {
    const me = this.#app.session.id;
    const canDelete = comment.author.id === me || this.#photo.author.id === me;
    const row = h("li", { data: { comment: comment.id } });
    append(row, [
      h("a", { href: profilePath(comment.author), tabindex: "-1", "aria-hidden": "true" }, avatar(comment.author, "tiny")),
      h("div.comment-body", {}, h("p", {}, nameLink(comment.author), " ", comment.text), h("span.secondary.small", {}, timeElement(comment.created_at))),
      canDelete &&
        h(
          "button.icon-button.small-icon",
          { type: "button", "aria-label": "Delete comment", onclick: () => this.#delete(comment) },
          icon("trash"),
        ),
    ]);
    return row;
  }

  async #delete(comment) {
    const agreed = await confirmDialog({ heading: "Delete this comment?", text: "It will be removed for everyone.", action: "Delete" });
    if (!agreed) return;
    try {
      await this.#app.api.delete(`/comments/${comment.id}`);
      this.remove(comment.id);
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  #makeForm() {
    const text = h("textarea", { rows: "1", maxlength: MAX_LENGTH, placeholder: "Add a comment…", "aria-label": "Your comment", enterkeyhint: "send" });
    const button = h("button.text-button", { type: "submit", disabled: true }, "Post");
    text.addEventListener("input", () => {
      button.disabled = text.value.trim() === "";
    });
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      element.requestSubmit();
    });
    const element = h("form.comment-form", { onsubmit: (event) => this.#submit(event, text, button) }, text, button);
    return element;
  }

  async #submit(event, text, button) {
    event.preventDefault();
    const content = text.value.trim();
    if (content === "") return;
    const pending = this.#pending(content);
    text.value = "";
    button.disabled = true;
    try {
      const comment = await this.#app.api.post(`/photos/${this.#photo.id}/comments`, { text: content }, { key: idempotencyKey() });
      pending.remove();
      this.add(comment);
    } catch (error) {
      pending.remove();
      if (text.value === "") text.value = content; // The user can send it again.
      button.disabled = false;
      this.#update();
      this.#app.toasts.error(error);
    }
  }

  /** Show the user's own comment at once, paler, until the server has accepted it. */
  #pending(content) {
    const me = this.#app.session.user;
    const row = h("li.sending", { data: { comment: "~" } }, avatar(me, "tiny"), h("div.comment-body", {}, h("p", {}, nameLink(me), " ", content), h("span.secondary.small", {}, "Sending…")));
    this.#none.hidden = true;
    this.#list.append(row);
    this.scroll.scrollTop = this.scroll.scrollHeight;
    return row;
  }
}
