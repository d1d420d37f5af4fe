/** The form for a comment or a reply. */

import { MAX_LENGTH } from "./comment_row.js";
import { fill, h, icon } from "../elements/dom.js";
import { tabValues } from "../elements/kept_values.js";
import { t } from "../elements/texts.js";
import { TextCompletion } from "../users/text_completion.js";

export class CommentForm {
  #send;
  /** The key under which the tab keeps what was not sent yet, should the page be left or loaded again. */
  #draftKey;
  #answered = null;
  #text = h("textarea", { rows: "1", maxlength: MAX_LENGTH, placeholder: t("Add a comment…"), "aria-label": t("Your comment"), enterkeyhint: "send" });
  #button = h("button.text-button", { type: "submit", disabled: true }, t("Post"));
  #target = h("div.reply-target.secondary.small", { hidden: true });

  /** `send(text, answered)` posts a comment, or a reply if `answered` is not null; it rejects if that fails. */
  constructor(app, photo, send) {
    this.#send = send;
    this.#draftKey = `picshare.comment.${photo.id}`;
    this.#text.value = tabValues.get(this.#draftKey) ?? "";
    const completion = new TextCompletion(app, this.#text);
    this.element = h("form.comment-form", { onsubmit: (event) => this.#submit(event) }, this.#target, completion.list, this.#text, this.#button);
    this.#text.addEventListener("input", () => this.#changed());
    this.#enable();
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#answer(null);
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.element.requestSubmit();
    });
  }

  /** Make the next comment a reply to a comment. A reply to a reply names its author, as it goes below the same comment. */
  reply(comment) {
    this.#answer(comment);
    const name = `@${comment.author.username} `;
    if (comment.reply_to && !this.#text.value.includes(name)) this.#text.value = name + this.#text.value;
    this.#enable();
    this.#text.focus();
  }

  #answer(comment) {
    this.#answered = comment;
    this.#target.hidden = comment === null;
    const cancel = () => this.#answer(null);
    fill(
      this.#target,
      comment && [t("Reply to {name}", { name: `@${comment.author.username}` }), h("button.icon-button.small-icon", { type: "button", "aria-label": t("Cancel the reply"), onclick: cancel }, icon("close"))],
    );
  }

  #changed() {
    this.#enable();
    if (this.#text.value) tabValues.set(this.#draftKey, this.#text.value);
    else tabValues.remove(this.#draftKey);
  }

  #enable() {
    this.#button.disabled = this.#text.value.trim() === "";
  }

  async #submit(event) {
    event.preventDefault();
    const content = this.#text.value.trim();
    if (content === "") return;
    const answered = this.#answered;
    this.#text.value = "";
    this.#answer(null);
    this.#changed();
    try {
      await this.#send(content, answered);
    } catch {
      if (this.#text.value === "") {
        // The user can send it again.
        this.#text.value = content;
        this.#answer(answered);
      }
      this.#changed();
    }
  }
}
