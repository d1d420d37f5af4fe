/** The comments of an open photo: pinned ones first, then the newest or those with the most likes, updated live. */

import { CommentForm } from "./comment_form.js";
import { CommentThread } from "./comment_thread.js";
import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { avatar, nameLink } from "../users/user.js";

/** Of a long conversation at most so many comments are in the page, and so many of the last ones are left when there are more. */
const MOST_SHOWN = 240;
const LEFT = 150;
const ORDERS = { newest: t("Newest"), top: t("Top") };

export class Comments {
  #app;
  #photo;
  #order = "newest";
  #threads = new Map();
  #removed = new Set();
  /** What came live since the list was last fetched. */
  #arrived = new Set();
  #cursor = null;
  #orders = h("div.comment-orders", { role: "group", "aria-label": t("Order of the comments"), hidden: true });
  #list = h("ol.comments", { "aria-live": "polite", "aria-relevant": "additions", "aria-label": t("Comments") });
  #more = h("div.comments-more");
  #first = h("div.comments-more", { hidden: true }, h("button.text-button", { type: "button", onclick: () => this.#backToFirst() }, t("Back to the first comments")));
  #none = h("p.secondary.comments", { hidden: true }, t("No comments yet."));
  /** The user's comments that are sent when there is a connection. */
  #waiting = h("ol.comments", { "aria-label": t("Comments that are not sent yet"), hidden: true });

  constructor(app, photo) {
    this.#app = app;
    this.#photo = photo;
    this.scroll = h("div.comments-scroll", {}, this.#orders, this.#none, this.#waiting, this.#first, this.#list, this.#more);
    app.pending.addEventListener("change", this.#showWaiting);
    app.pending.addEventListener("sent", this.#sentLater);
    const form = new CommentForm(app, photo, (text, answered) => this.#send(text, answered));
    this.form = form.element;
    this.on = {
      reply: (comment) => form.reply(comment),
      deleted: (comment) => this.remove(comment.id, comment.reply_to),
      pinned: () => this.load(),
    };
    this.#showWaiting();
    this.#open();
  }

  leave() {
    this.#app.pending.removeEventListener("change", this.#showWaiting);
    this.#app.pending.removeEventListener("sent", this.#sentLater);
  }

  #showWaiting = () => {
    const waiting = this.#app.pending.of(this.#subject);
    this.#waiting.hidden = waiting.length === 0;
    fill(this.#waiting, waiting.map(({ body }) => this.#unsent(body.text, t("Sent when there is a connection."))).reverse());
  };

  #sentLater = ({ detail: { record, result } }) => {
    if (record.subject === this.#subject) this.add(result, { own: true });
  };

  get #subject() {
    return `comments:${this.#photo.id}`;
  }

  /** Fetch the first page, and show the comment in the address, which a notification links to. */
  async #open() {
    await this.load();
    const id = new URLSearchParams(location.search).get("comment");
    if (id) await this.#showLinked(id);
  }

  async #showLinked(id) {
    try {
      const comment = await this.#app.api.get(`/comments/${id}`);
      if (comment.photo_id !== this.#photo.id) return;
      const above = comment.reply_to ? await this.#app.api.get(`/comments/${comment.reply_to}`) : comment;
      const thread = this.#threads.get(above.id) ?? this.#addAbove(above);
      if (comment.reply_to) await thread.addReply(comment, { open: true });
      const { element } = this.#shown(id);
      element.classList.add("linked");
      element.scrollIntoView({ block: "center" });
    } catch {
      this.#app.toasts.show(t("This comment is not available any more."));
    }
  }

  /** Show a comment of a later page before the others. */
  #addAbove(comment) {
    const thread = this.#thread(comment);
    this.#list.prepend(thread.element);
    this.#update();
    return thread;
  }

  /** Fetch the first page: at first, in another order, and after an interruption. */
  async load() {
    const arrived = new Set();
    this.#arrived = arrived;
    try {
      const { items, next } = await this.#fetch(null);
      if (arrived !== this.#arrived) return; // it is being fetched again
      const shown = items.filter(({ id }) => !this.#removed.has(id)).map((comment) => this.#thread(comment));
      const pinned = shown.filter(({ comment }) => comment.pinned);
      const newer = [...this.#threads.values()].filter(({ comment }) => arrived.has(comment.id));
      const threads = [...new Set([...pinned, ...newer.reverse(), ...shown])];
      this.#threads = new Map(threads.map((thread) => [thread.comment.id, thread]));
      this.#list.replaceChildren(...threads.map(({ element }) => element));
      this.#cursor = next;
      this.#first.hidden = true;
      this.#update();
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  /** Show a new comment or reply, unless it is shown already. */
  add(comment, { own = false } = {}) {
    if (comment.reply_to) {
      const thread = this.#threads.get(comment.reply_to);
      thread?.addReply(comment, { open: own });
      return;
    }
    // It belongs above what is left of a long list.
    if (this.#threads.has(comment.id) || (!this.#first.hidden && !own)) return;
    const thread = this.#thread(comment);
    thread.element.classList.add("arriving");
    this.#arrived.add(comment.id);
    this.#list.insertBefore(thread.element, this.#firstBelow(comment.id));
    if (own) thread.element.scrollIntoView({ block: "nearest" });
    this.#update();
  }

  /** Remove a comment, or a reply to the comment `parentId`. */
  remove(id, parentId = null) {
    this.#removed.add(id);
    if (this.#threads.has(id)) {
      this.#threads.get(id).element.remove();
      this.#threads.delete(id);
    }
    for (const thread of parentId ? [this.#threads.get(parentId)] : this.#threads.values()) thread?.removeReply(id);
    this.#update();
  }

  /** Remove all that a user has written. */
  removeBy(userId) {
    for (const thread of this.#threads.values()) {
      thread.removeRepliesBy(userId);
      if (thread.comment.author.id === userId) this.remove(thread.comment.id);
    }
  }

  /** Show what a publication on the photo's channel says about its comments. */
  received({ type, comment, comment_id: deleted, comment_state: state }) {
    if (type === "photo.commented") this.add(comment);
    if (deleted) this.remove(deleted, state?.id);
    if (type === "photo.comment_edited") {
      // The own like is not published.
      const { liked, first_replies, ...fields } = comment;
      this.#shown(comment.id)?.update(fields);
    }
    if (state) this.#shown(state.id)?.update(state);
    if (type === "photo.comment_pinned" || type === "photo.comment_unpinned") this.load();
  }

  #shown(id) {
    return this.#threads.get(id) ?? [...this.#threads.values()].map((thread) => thread.reply(id)).find(Boolean);
  }

  /** Return the element before which a comment belongs that is new: after pinned ones and newer ones. */
  #firstBelow(id) {
    const below = ({ dataset }) => !this.#threads.get(dataset.comment)?.comment.pinned && dataset.comment < id;
    return [...this.#list.children].find(below) ?? null;
  }

  #thread(comment) {
    const thread = this.#threads.get(comment.id);
    if (!thread) {
      const made = new CommentThread(this.#app, this.#photo, comment, this.on);
      this.#threads.set(comment.id, made);
      return made;
    }
    thread.update(comment);
    return thread;
  }

  #fetch(cursor) {
    return this.#app.api.get(`/photos/${this.#photo.id}/comments`, { order: this.#order, cursor, limit: 30 });
  }

  #update() {
    const { size } = this.#threads;
    this.#none.hidden = size > 0 || !this.#waiting.hidden;
    this.#orders.hidden = size < 2;
    const buttons = Object.entries(ORDERS).map(([order, name]) =>
      h("button.text-button", { type: "button", "aria-pressed": String(order === this.#order), data: { order }, onclick: () => this.#sort(order) }, name),
    );
    if (!this.#orders.contains(document.activeElement)) fill(this.#orders, buttons);
    fill(this.#more, this.#cursor && h("button.text-button", { type: "button", onclick: () => this.#loadMore() }, t("Show more comments")));
  }

  #sort(order) {
    if (order === this.#order) return;
    this.#order = order;
    for (const button of this.#orders.children) button.setAttribute("aria-pressed", String(button.dataset.order === order));
    this.#threads.clear();
    this.load();
  }

  async #loadMore() {
    try {
      const { items, next } = await this.#fetch(this.#cursor);
      this.#cursor = next;
      for (const comment of items) {
        // While comments get likes, one may be on two pages of the order "top".
        if (this.#threads.has(comment.id) || this.#removed.has(comment.id)) continue;
        this.#list.append(this.#thread(comment).element);
      }
      this.#bound();
      this.#update();
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  /** Remove the first comments from a long list; what is read keeps its place. */
  #bound() {
    const threads = [...this.#list.children];
    if (threads.length <= MOST_SHOWN) return;
    const last = threads.at(-1);
    const before = last.getBoundingClientRect().top;
    for (const { dataset } of threads.slice(0, -LEFT)) this.#threads.delete(dataset.comment);
    this.#list.replaceChildren(...threads.slice(-LEFT));
    this.#first.hidden = false;
    const moved = last.getBoundingClientRect().top - before;
    if (this.scroll.scrollHeight > this.scroll.clientHeight && getComputedStyle(this.scroll).overflowY !== "visible") this.scroll.scrollTop += moved;
    else scrollBy({ top: moved, behavior: "instant" });
  }

  async #backToFirst() {
    this.#threads.clear();
    await this.load();
    this.#list.firstElementChild?.scrollIntoView({ block: "nearest" });
  }

  async #send(text, answered) {
    const pending = answered ? null : this.#pending(text);
    const body = answered ? { text, reply_to: answered.id } : { text };
    try {
      const about = String(t("Comment: {text}", { text }));
      const comment = await this.#app.pending.create({ subject: this.#subject, path: `/photos/${this.#photo.id}/comments`, body, text: about });
      pending?.remove();
      if (comment) this.add(comment, { own: true });
      else this.#update();
    } catch (error) {
      pending?.remove();
      this.#update();
      this.#app.toasts.error(error);
      throw error;
    }
  }

  /** Show the user's own comment at once, paler, until the server has accepted it. */
  #pending(text) {
    const row = this.#unsent(text, t("Sending…"));
    this.#none.hidden = true;
    this.#list.insertBefore(row, this.#firstBelow("~"));
    row.scrollIntoView({ block: "nearest" });
    return row;
  }

  #unsent(text, state) {
    const me = this.#app.session.user;
    const body = h("div.comment-body", {}, h("p", {}, nameLink(me), " ", text), h("span.secondary.small", {}, state));
    return h("li.sending", { data: { comment: "~" } }, h("div.comment-row", {}, avatar(me, "tiny"), body));
  }
}
