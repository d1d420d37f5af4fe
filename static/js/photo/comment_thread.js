/** A comment with its replies, which a button shows and hides. */

import { CommentRow } from "./comment_row.js";
import { fill, h } from "../elements/dom.js";
import { t, tn } from "../elements/texts.js";

export class CommentThread {
  #app;
  #photo;
  #on;
  #replies = new Map();
  #cursor = null;
  #loaded = false;
  #list = h("ol.replies", { "aria-label": t("Replies"), hidden: true });
  #toggle = h("div.replies-toggle");

  /** `on` is that of the row; its `deleted` is called for replies, too. */
  constructor(app, photo, comment, on) {
    this.#app = app;
    this.#photo = photo;
    this.#on = on;
    this.row = new CommentRow(app, photo, comment, on);
    this.element = h("li", { data: { comment: comment.id } }, this.row.element, this.#list, this.#toggle);
    this.#showToggle();
  }

  get comment() {
    return this.row.comment;
  }

  /** Take over changed fields of the comment; `first_replies` are there if it was fetched again. */
  update(fields) {
    this.row.update(fields);
    if (fields.first_replies && this.#loaded && !this.#cursor && fields.replies !== this.#replies.size) this.#reload();
    // What was fetched first is not what there is now.
    if (!fields.first_replies && "replies" in fields) this.comment.first_replies = null;
    this.#showToggle();
  }

  /** Return the row of a reply that is shown. */
  reply(id) {
    return this.#replies.get(id);
  }

  /** Add a new reply to those that were fetched; with `open` show it, and all before it. */
  async addReply(reply, { open = false } = {}) {
    if (open && this.#list.hidden) await this.#show();
    if (!open && (!this.#loaded || this.#cursor)) return;
    this.#put(reply);
    this.#showToggle();
  }

  removeReply(id) {
    this.#replies.get(id)?.element.parentElement.remove();
    this.#replies.delete(id);
    this.#showToggle();
  }

  /** Remove the replies of a user; those that are not shown yet are fetched when they are. */
  removeRepliesBy(userId) {
    if (this.comment.first_replies?.some(({ author }) => author.id === userId)) this.comment.first_replies = null;
    for (const [id, { comment }] of [...this.#replies]) if (comment.author.id === userId) this.removeReply(id);
  }

  #put(reply) {
    const shown = this.#replies.get(reply.id);
    if (shown) {
      shown.update(reply);
      return;
    }
    const row = new CommentRow(this.#app, this.#photo, reply, this.#on);
    this.#replies.set(reply.id, row);
    const later = [...this.#list.children].find((other) => other.dataset.comment > reply.id);
    this.#list.insertBefore(h("li", { data: { comment: reply.id } }, row.element), later ?? null);
  }

  #reload() {
    this.#replies.clear();
    this.#list.replaceChildren();
    this.#loaded = false;
    if (!this.#list.hidden) this.#loadMore();
  }

  async #show() {
    this.#list.hidden = false;
    const first = this.comment.first_replies ?? [];
    if (!this.#loaded && first.length === this.comment.replies) {
      for (const reply of first) this.#put(reply);
      this.#loaded = true;
    }
    if (!this.#loaded) await this.#loadMore();
    this.#showToggle();
  }

  async #loadMore() {
    try {
      const path = `/comments/${this.comment.id}/replies`;
      const { items, next } = await this.#app.api.get(path, { cursor: this.#cursor, limit: 30 });
      this.#loaded = true;
      this.#cursor = next;
      for (const reply of items) this.#put(reply);
    } catch (error) {
      this.#list.hidden = this.#replies.size === 0;
      this.#app.toasts.error(error);
    }
    this.#showToggle();
  }

  #hide() {
    this.#list.hidden = true;
    this.#showToggle();
  }

  #showToggle() {
    const replies = Math.max(this.comment.replies, this.#replies.size);
    const open = !this.#list.hidden;
    const button = (text, onclick) => h("button.text-button.small", { type: "button", "aria-expanded": String(open), onclick }, text);
    const view = tn("View {count} reply", "View {count} replies", replies);
    if (replies === 0) this.#list.hidden = true;
    fill(
      this.#toggle,
      replies > 0 && (open ? [this.#cursor && button(t("View more replies"), () => this.#loadMore()), button(t("Hide replies"), () => this.#hide())] : button(view, () => this.#show())),
    );
  }
}
