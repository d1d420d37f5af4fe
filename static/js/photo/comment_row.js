/** One comment or reply: its text with links, its likes, and what the user may do with it. */

import { confirmDialog, fill, h, icon, visuallyHidden } from "../elements/dom.js";
import { linked } from "../elements/entities.js";
import { count } from "./like.js";
import { muteItem } from "./muted_subjects.js";
import { menu } from "../elements/menu.js";
import { t, tn } from "../elements/texts.js";
import { reportDialog } from "../reports/report_dialog.js";
import { timeElement } from "../elements/time.js";
import { TextCompletion } from "../users/text_completion.js";
import { avatar, nameLink, profilePath } from "../users/user.js";

export const MAX_LENGTH = 1000;

export class CommentRow {
  #app;
  #photo;
  #on;
  #version;
  #editing = false;
  #text = h("p");
  #marks = h("span.comment-marks");
  #like = h("button.comment-like", { type: "button", onclick: () => this.#toggleLike() });
  #options = h("div");
  #sending = false;

  /** `on` has the functions `reply(comment)`, `deleted(comment)` and `pinned(comment)`. */
  constructor(app, photo, comment, on) {
    this.#app = app;
    this.#photo = photo;
    this.#on = on;
    this.comment = comment;
    this.#version = comment.version;
    const signedIn = Boolean(app.session.id);
    this.element = h(
      "div.comment-row",
      {},
      h("a", { href: profilePath(comment.author), tabindex: "-1", "aria-hidden": "true" }, avatar(comment.author, "tiny")),
      h(
        "div.comment-body",
        {},
        this.#text,
        h(
          "div.comment-foot.secondary.small",
          {},
          timeElement(comment.created_at),
          this.#marks,
          signedIn && h("button.text-button", { type: "button", onclick: () => on.reply(this.comment) }, t("Reply<to> to {name}</to>", { name: comment.author.username, to: (text) => visuallyHidden(text) })),
        ),
      ),
      signedIn && this.#like,
      this.#options,
    );
    this.#show();
  }

  /** Take over the changed fields of a comment, unless they are older than what is shown. */
  update(fields) {
    if (fields.version !== undefined && fields.version < this.#version) return;
    this.#version = fields.version ?? this.#version;
    this.comment = { ...this.comment, ...fields };
    this.#show();
  }

  #show() {
    const { comment } = this;
    fill(this.#text, nameLink(comment.author), " ", h("span", { dir: "auto" }, linked(comment.text, comment.entities)));
    fill(this.#marks, comment.edited_at && h("span", {}, t("edited")), comment.pinned && h("span.pinned", {}, icon("pin"), t("Pinned")));
    const words = tn("{count} like", "{count} likes", comment.likes);
    this.#like.setAttribute("aria-pressed", String(comment.liked));
    fill(this.#like, icon("heart"), visuallyHidden(t("Like comment"), ", "), comment.likes > 0 && h("span", { "aria-hidden": "true" }, count(comment.likes)), visuallyHidden(words));
    if (!this.#editing) this.#showOptions();
  }

  /** Make the menu again if what it offers has changed; an open menu stays open otherwise. */
  #showOptions() {
    const items = this.#choices();
    const names = items.map(([, text]) => text).join();
    if (this.#options.dataset.names === names) return;
    this.#options.dataset.names = names;
    fill(this.#options, items.length > 0 && menu(t("Comment options"), items));
  }

  #choices() {
    const { comment } = this;
    const me = this.#app.session.id;
    const own = comment.author.id === me;
    const ownPhoto = this.#photo.author.id === me;
    const items = [];
    if (own && !this.#editing) items.push(["pencil", t("Edit comment"), () => this.#edit()]);
    if (ownPhoto && !comment.reply_to) items.push(["pin", comment.pinned ? t("Unpin comment") : t("Pin comment"), () => this.#pin()]);
    if (me && !comment.reply_to) items.push(muteItem(this.#app, `/comments/${comment.id}/mute`, "thread"));
    if (me && !own) items.push(["flag", t("Report comment"), () => reportDialog(this.#app, { kind: "comment", id: comment.id, what: t("Report this comment"), account: comment.author.username })]);
    if (own || ownPhoto) items.push(["trash", t("Delete comment"), () => this.#delete(), "danger"]);
    return items;
  }

  /** Show the like at once, and send it; taps in between are sent afterwards. */
  async #toggleLike() {
    const { liked, likes } = this.comment;
    this.update({ liked: !liked, likes: Math.max(0, likes + (liked ? -1 : 1)) });
    if (this.#sending) return;
    this.#sending = true;
    let confirmed = { liked, likes };
    try {
      while (this.comment.liked !== confirmed.liked) {
        const { id, liked: on, author } = this.comment;
        const name = `@${author.username}`;
        const text = String(on ? t("Like a comment of {name}", { name }) : t("Unlike a comment of {name}", { name }));
        const shown = { liked: on, likes: this.comment.likes };
        confirmed = (await this.#app.pending.switch({ subject: `comment_like:${id}`, path: `/comments/${id}/like`, on, text })) ?? shown;
      }
    } catch (error) {
      this.#app.toasts.error(error);
    } finally {
      this.#sending = false;
      this.update(confirmed);
    }
  }

  #edit() {
    const input = h("textarea", { rows: "2", maxlength: MAX_LENGTH, "aria-label": t("Edit your comment") });
    input.value = this.comment.text;
    const end = () => {
      form.remove();
      this.#editing = false;
      this.#text.hidden = false;
      this.#showOptions();
      this.#options.querySelector("button")?.focus();
    };
    const save = async (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (text === "") return;
      try {
        const edited = await this.#app.api.patch(`/comments/${this.comment.id}`, { text });
        this.update(edited);
        end();
      } catch (error) {
        this.#app.toasts.error(error);
      }
    };
    this.#editing = true;
    this.#text.hidden = true;
    const form = h(
      "form.comment-edit",
      { onsubmit: save },
      new TextCompletion(this.#app, input).list,
      input,
      h("div", {}, h("button.text-button", { type: "submit" }, t("Save")), h("button.text-button", { type: "button", onclick: end }, t("Cancel"))),
    );
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") end();
    });
    this.#text.after(form);
    input.focus();
  }

  async #pin() {
    const pinned = !this.comment.pinned;
    const path = `/comments/${this.comment.id}/pin`;
    try {
      await (pinned ? this.#app.api.put(path) : this.#app.api.delete(path));
      this.update({ pinned });
      this.#on.pinned(this.comment);
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  async #delete() {
    const text = this.comment.replies > 0 ? t("It will be removed for everyone, with the replies to it.") : t("It will be removed for everyone.");
    const agreed = await confirmDialog({ heading: t("Delete this comment?"), text, action: t("Delete") });
    if (!agreed) return;
    try {
      await this.#app.api.delete(`/comments/${this.comment.id}`);
      this.#on.deleted(this.comment);
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }
}
