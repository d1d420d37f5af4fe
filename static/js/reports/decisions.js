/** The decisions of moderators about the user, with their reasons, and appeals against them. */

import { emptyState, fill, h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { CATEGORIES } from "./report_dialog.js";
import { t } from "../elements/texts.js";
import { timeElement } from "../elements/time.js";

const HEADLINES = {
  "photo sensitive": t("Your photo was marked as sensitive"),
  "photo hide": t("Your photo was hidden"),
  "photo remove": t("Your photo was removed"),
  "comment hide": t("Your comment was hidden"),
  "comment remove": t("Your comment was removed"),
  limit: t("Your account was limited"),
  suspend: t("Your account was suspended"),
};
const EXPLANATIONS = {
  remove: t("It is erased after 30 days."),
  limit: t("Your followers see what you post. Others do not find it."),
  suspend: t("It is deleted after 30 days."),
};
const APPEALS = {
  pending: t("You have appealed. Another moderator answers."),
  upheld: t("Your appeal was answered: the decision stays."),
  reverted: t("Your appeal was answered: the decision was reverted."),
};

/** Create the page at "/settings/decisions". */
export function decisionsPage(app) {
  const list = new DecisionList(app);
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Decisions about you"))),
    h("p.secondary.page-text", {}, t("What moderators have decided about your account and what you have posted.")),
    list.element,
  );
  return { title: t("Decisions about you"), element };
}

/** Return what the user of a suspended account sees and can do; `token` is good for that alone. */
export function suspendedAccount(app, token) {
  const list = new DecisionList(app, token);
  const note = h("p.secondary", { role: "status" });
  const request = async () => {
    try {
      await app.api.request("POST", "/users/me/exports", { bearer: token });
      fill(note, t("Your export is being made. Sign in again later to download it."));
      await exports();
    } catch (error) {
      fill(note, error.message);
    }
  };
  const links = h("ul.plain-list");
  const exports = async () => {
    const { items } = await app.api.request("GET", "/users/me/exports", { bearer: token });
    fill(links, items.filter((item) => item.url).map((item) => h("li", {}, h("a", { href: item.url, download: "" }, t("Download the export of {time}", { time: timeElement(item.created_at, { inSentence: true }) })))));
  };
  exports().catch(() => {});
  return h(
    "div.suspended",
    {},
    h("div.page-head", {}, h("h1", {}, t("Your account is suspended"))),
    h("p.page-text", {}, t("Others do not see it, and you cannot use it. You can appeal against the decision, and export your data.")),
    list.element,
    h("div.suspended-data", {}, h("button.button.plain", { type: "button", onclick: request }, t("Export your data")), links, note),
  );
}

class DecisionList {
  #app;
  #token;
  #cursor = null;
  #rows = h("ul.decisions.panel", { hidden: true });
  #tail = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading the decisions") }));
  element = h("div", {}, this.#rows, this.#tail);

  constructor(app, token = null) {
    this.#app = app;
    this.#token = token;
    this.#load();
  }

  #request(method, path, options) {
    return this.#app.api.request(method, path, { ...options, bearer: this.#token });
  }

  async #load() {
    try {
      const { items, next } = await this.#request("GET", "/users/me/decisions", { query: { cursor: this.#cursor } });
      this.#cursor = next;
      for (const decision of items) this.#rows.append(this.#row(decision));
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: () => this.#load() }, t("Try again"));
      fill(this.#tail, emptyState("cloud", t("Could not load the decisions"), error.message, again));
      return;
    }
    this.#rows.hidden = this.#rows.childElementCount === 0;
    const more = h("button.button.plain", { type: "button", onclick: () => this.#load() }, t("Show older"));
    if (this.#rows.hidden) fill(this.#tail, emptyState("check", t("No decisions"), t("Moderators have not acted on anything of yours.")));
    else fill(this.#tail, this.#cursor && h("div.empty-state", {}, more));
  }

  #row(decision) {
    const { action, kind, rule, reason, facts, automated, reverted, reverts, appeal, redress } = decision;
    const row = h(
      "li.decision",
      {},
      h("h2", {}, reverts ? t("A decision was reverted") : headline(kind, action)),
      h("p.secondary.small", {}, timeElement(decision.created_at), reverted && [" · ", t("reverted")]),
      !reverts && h("p", {}, t("<b>Rule:</b> {rule}", { b: bold, rule: CATEGORIES[rule] ?? rule })),
      reason && h("p", {}, t("<b>Reason:</b> {reason}", { b: bold, reason: h("bdi", {}, reason) })),
      facts && h("p", {}, t("<b>Facts:</b> {facts}", { b: bold, facts: h("bdi", {}, facts) })),
      !reverted && !reverts && EXPLANATIONS[action] && h("p.secondary", {}, EXPLANATIONS[action]),
      h("p.secondary.small", {}, automated ? t("Decided automatically.") : t("Decided by a moderator.")),
      appeal && h("p.decision-appeal", { role: "status" }, APPEALS[appeal]),
    );
    if (redress) row.append(this.#appeal(decision, row));
    return row;
  }

  #appeal(decision, row) {
    const text = field("text", t("Why is it wrong?"), {
      kind: "textarea",
      hint: t("You can appeal once. A moderator who has not made this decision answers."),
      attributes: { maxlength: 2000, rows: 3, dir: "auto" },
    });
    const open = h("button.button.plain.compact", { type: "button", onclick: () => show() }, t("Appeal"));
    const sheet = form({
      inputs: [text],
      action: t("Send appeal"),
      submit: async () => {
        await this.#request("POST", `/decisions/${decision.id}/appeal`, { body: { text: text.input.value } });
        row.replaceWith(this.#row({ ...decision, appeal: "pending", redress: null }));
      },
    });
    const place = h("div", {}, open);
    const show = () => {
      fill(place, sheet);
      text.input.focus();
    };
    return place;
  }
}

function bold(text) {
  return h("b", {}, text);
}

function headline(kind, action) {
  return HEADLINES[action] ?? HEADLINES[`${kind} ${action}`] ?? `${kind}: ${action}`;
}
