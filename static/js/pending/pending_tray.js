/** What waits for a connection and what the server has refused of it, above the current page. */

import { asSentence, fill, h, icon } from "../elements/dom.js";
import { tabValues } from "../elements/kept_values.js";
import { t, tn } from "../elements/texts.js";
import { mayPass } from "./sending.js";

export class PendingTray {
  #app;
  #open = false;
  element = h("section.tray.pending", { "aria-label": t("Not sent yet"), hidden: true });

  constructor(app) {
    this.#app = app;
    app.pending.addEventListener("change", () => this.#draw());
  }

  #draw() {
    const { all } = this.#app.pending;
    const waiting = all.filter(({ error }) => !error);
    this.element.hidden = all.length === 0;
    fill(this.element, waiting.length > 0 && this.#summary(waiting), all.filter(({ error }) => error).map((record) => this.#row(record)));
  }

  /** What waits, with a button that shows the list. */
  #summary(waiting) {
    const number = tn("{count} change waits for the connection", "{count} changes wait for the connection", waiting.length);
    const toggle = () => {
      this.#open = !this.#open;
      this.#draw();
      this.element.querySelector("[aria-expanded]")?.focus();
    };
    const show = h("button.button.plain.compact", { type: "button", "aria-expanded": String(this.#open), onclick: toggle }, this.#open ? t("Hide") : t("Show"));
    const list = this.#open && h("ul.pending-list", {}, waiting.map((record) => h("li", {}, h("span", {}, record.text), this.#drop(record, t("Cancel")))));
    const text = h("div.tray-text", { role: "status" }, h("span.name", {}, number), h("p.state.small.secondary", {}, t("Sent as soon as there is one, also after this page was closed.")));
    return h("div.tray-item.waiting", {}, h("span.tray-picture", {}, icon("cloud")), text, h("div.actions", {}, show), list);
  }

  /** A refusal, with its reason and what can be done about it. */
  #row(record) {
    const { error, text, body } = record;
    const again = h("button.button.plain.compact", { type: "button", onclick: () => this.#app.pending.tryAgain(record) }, t("Try again"));
    const edit = h("button.button.plain.compact", { type: "button", onclick: () => this.#edit(record) }, t("Edit"));
    // The message of the server is in its language; of what may have arrived it has said nothing.
    const reason = error.code === "doubtful" ? t("It may have been sent already: look at the photo before you try again.") : asSentence(error.message);
    const next = error.code === "doubtful" || mayPass(error) ? again : body?.text !== undefined && edit;
    return h(
      "div.tray-item.failed",
      { role: "alert" },
      h("span.tray-picture", {}, icon("cloud")),
      h("div.tray-text", {}, h("span.name", {}, text), h("p.state.small", {}, reason)),
      h("div.actions", {}, next, this.#drop(record, t("Remove"))),
    );
  }

  #drop(record, label) {
    return h("button.button.plain.compact", { type: "button", onclick: () => this.#app.pending.drop(record) }, label);
  }

  /** Open the photo with the text of a comment in its form. */
  async #edit(record) {
    const [, photoId] = record.subject.split(":");
    tabValues.set(`picshare.comment.${photoId}`, record.body.text);
    await this.#app.pending.drop(record);
    this.#app.router.go(`/p/${photoId}`);
  }
}
