/** The decisions of moderators about the user, with their reasons, and appeals against them. */

import { emptyState, fill, h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { CATEGORIES } from "./report_dialog.js";
import { timeElement } from "../elements/time.js";

const SUBJECTS = { photo: "Your photo", comment: "Your comment", user: "Your account" };
const ACTIONS = {
  sensitive: "was marked as sensitive",
  hide: "was hidden",
  remove: "was removed",
  limit: "Your account was limited",
  suspend: "Your account was suspended",
};
const EXPLANATIONS = {
  remove: "It is erased after 30 days.",
  limit: "Your followers see what you post. Others do not find it.",
  suspend: "It is deleted after 30 days.",
};
const APPEALS = {
  pending: "You have appealed. Another moderator answers.",
  upheld: "Your appeal was answered: the decision stays.",
  reverted: "Your appeal was answered: the decision was reverted.",
};

/** Create the page at "/settings/decisions". */
export function decisionsPage(app) {
  const list = new DecisionList(app);
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, "Decisions about you")),
    h("p.secondary.page-text", {}, "What moderators have decided about your account and what you have posted."),
    list.element,
  );
  return { title: "Decisions about you", element };
}

/** Return what the user of a suspended account sees and can do; `token` is good for that alone. */
export function suspendedAccount(app, token) {
  const list = new DecisionList(app, token);
  const note = h("p.secondary", { role: "status" });
  const request = async () => {
    try {
      await app.api.request("POST", "/users/me/exports", { bearer: token });
      fill(note, "Your export is being made. Sign in again later to download it.");
      await exports();
    } catch (error) {
      fill(note, error.message);
    }
  };
  const links = h("ul.plain-list");
  const exports = async () => {
    const { items } = await app.api.request("GET", "/users/me/exports", { bearer: token });
    fill(links, items.filter((item) => item.url).map((item) => h("li", {}, h("a", { href: item.url, download: "" }, "Download the export of ", timeElement(item.created_at, { inSentence: true })))));
  };
  exports().catch(() => {});
  return h(
    "div.suspended",
    {},
    h("div.page-head", {}, h("h1", {}, "Your account is suspended")),
    h("p.page-text", {}, "Others do not see it, and you cannot use it. You can appeal against the decision, and export your data."),
    list.element,
    h("div.suspended-data", {}, h("button.button.plain", { type: "button", onclick: request }, "Export your data"), links, note),
  );
}

class DecisionList {
  #app;
  #token;
  #cursor = null;
  #rows = h("ul.decisions.panel", { hidden: true });
  #tail = h("div", {}, h("div.spinner", { role: "status", "aria-label": "Loading the decisions" }));
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
      const again = h("button.button.plain", { type: "button", onclick: () => this.#load() }, "Try again");
      fill(this.#tail, emptyState("cloud", "Could not load the decisions", error.message, again));
      return;
    }
    this.#rows.hidden = this.#rows.childElementCount === 0;
    const more = h("button.button.plain", { type: "button", onclick: () => this.#load() }, "Show older");
    if (this.#rows.hidden) fill(this.#tail, emptyState("check", "No decisions", "Moderators have not acted on anything of yours."));
    else fill(this.#tail, this.#cursor && h("div.empty-state", {}, more));
  }

  #row(decision) {
    const { action, kind, rule, reason, facts, automated, reverted, reverts, appeal, redress } = decision;
    const row = h(
      "li.decision",
      {},
      h("h2", {}, reverts ? "A decision was reverted" : headline(kind, action)),
      h("p.secondary.small", {}, timeElement(decision.created_at), reverted && " · reverted"),
      !reverts && h("p", {}, h("b", {}, "Rule: "), CATEGORIES[rule] ?? rule),
      reason && h("p", {}, h("b", {}, "Reason: "), reason),
      facts && h("p", {}, h("b", {}, "Facts: "), facts),
      !reverted && !reverts && EXPLANATIONS[action] && h("p.secondary", {}, EXPLANATIONS[action]),
      h("p.secondary.small", {}, automated ? "Decided automatically." : "Decided by a moderator."),
      appeal && h("p.decision-appeal", { role: "status" }, APPEALS[appeal]),
    );
    if (redress) row.append(this.#appeal(decision, row));
    return row;
  }

  #appeal(decision, row) {
    const text = field("text", "Why is it wrong?", {
      kind: "textarea",
      hint: "You can appeal once. A moderator who has not made this decision answers.",
      attributes: { maxlength: 2000, rows: 3, dir: "auto" },
    });
    const open = h("button.button.plain.compact", { type: "button", onclick: () => show() }, "Appeal");
    const sheet = form({
      inputs: [text],
      action: "Send appeal",
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

function headline(kind, action) {
  return action === "limit" || action === "suspend" ? ACTIONS[action] : `${SUBJECTS[kind]} ${ACTIONS[action] ?? action}`;
}
