/** What the user has reported to the moderators, with the outcome of each report. */

import { emptyState, fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { timeElement } from "../elements/time.js";
import { unavailable } from "../elements/unavailable.js";
import { CATEGORIES } from "./report_dialog.js";

const HEADLINES = { photo: t("You reported a photo"), comment: t("You reported a comment"), user: t("You reported an account") };
const OUTCOMES = {
  action: t("The moderators agreed with you and acted."),
  no_action: t("The moderators decided that it may stay."),
};
/** What was reported, where it has a page of its own; it may be gone by now. */
const SUBJECTS = {
  photo: (id) => h("a", { href: `/p/${id}` }, t("Open the photo")),
  user: (id) => h("a", { href: `/u/${id}` }, t("Open the profile")),
};

/** Create the page at "/settings/reports". */
export function ownReportsPage(app) {
  const list = new ReportList(app);
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Your reports"))),
    h("p.secondary.page-text", {}, t("What you have reported to the moderators. Your reports are confidential.")),
    h("p.secondary.page-text", {}, t("Appeals against decisions about you are with <link>these decisions</link>.", { link: (text) => h("a", { href: "/settings/decisions" }, text) })),
    list.element,
  );
  return { title: t("Your reports"), element, refresh: () => list.reload() };
}

class ReportList {
  #app;
  #cursor = null;
  #rows = h("ul.decisions.panel", { hidden: true });
  #tail = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading your reports") }));
  element = h("div", {}, this.#rows, this.#tail);

  constructor(app) {
    this.#app = app;
    this.#more();
  }

  /** Load the newest reports in place of those that are shown. */
  async reload() {
    const page = await this.#app.api.get("/users/me/reports");
    this.#rows.replaceChildren();
    this.#append(page);
  }

  async #more() {
    try {
      this.#append(await this.#app.api.get("/users/me/reports", { cursor: this.#cursor }));
    } catch (error) {
      fill(this.#tail, unavailable(this.#app, { heading: t("Could not load your reports"), error, again: () => this.#more() }));
    }
  }

  #append({ items, next }) {
    this.#cursor = next;
    this.#rows.append(...items.map(row));
    this.#rows.hidden = this.#rows.childElementCount === 0;
    const older = h("button.button.plain", { type: "button", onclick: () => this.#more() }, t("Show older"));
    if (this.#rows.hidden) fill(this.#tail, emptyState("flag", t("No reports"), t("You can report photos, comments and accounts in their menus.")));
    else fill(this.#tail, this.#cursor && h("div.empty-state", {}, older));
  }
}

function row({ kind, subject_id: subject, category, text, outcome, created_at: created, answered_at: answered }) {
  return h(
    "li.decision",
    {},
    h("h2", {}, HEADLINES[kind] ?? kind),
    h("p.secondary.small", {}, timeElement(created)),
    h("p", {}, t("<b>Reason:</b> {reason}", { b: (label) => h("b", {}, label), reason: CATEGORIES[category] ?? category })),
    text && h("p.report-text", { dir: "auto" }, text),
    h("p.decision-appeal", {}, OUTCOMES[outcome] ?? t("A moderator has not decided yet."), answered && [" ", h("span.secondary.small", {}, timeElement(answered))]),
    SUBJECTS[kind] && h("p", {}, SUBJECTS[kind](subject)),
  );
}
