/** The queue of moderators: cases by their priority, and appeals. */

import { emptyPage, emptyState, fill, h } from "../elements/dom.js";
import { CATEGORIES } from "../reports/report_dialog.js";
import { handleShortcuts, shortcutsDialog } from "../elements/shortcuts.js";
import { t, tn } from "../elements/texts.js";
import { unavailable } from "../elements/unavailable.js";
import { timeElement } from "../elements/time.js";
import { isModerator } from "../users/roles.js";

const PAGE_SIZE = 30;
const TABS = [
  ["active", t("To decide")],
  ["escalated", t("Escalated")],
  ["appeals", t("Appeals")],
  ["closed", t("Closed")],
];
const SUBJECTS = {
  photo: (name) => t("Photo of {name}", { name }),
  comment: (name) => t("Comment of {name}", { name }),
  user: (name) => t("Account of {name}", { name }),
};
const STATES = { open: t("open"), escalated: t("escalated"), closed: t("closed") };
const DECIDED = { sensitive: t("Mark as sensitive"), hide: t("Hide"), remove: t("Remove"), limit: t("Limit the account"), suspend: t("Suspend the account") };
const NOTHING = {
  active: [t("Nothing to decide"), t("Reports of users appear here, the most pressing first.")],
  escalated: [t("Nothing is escalated"), t("Cases that moderators leave to administrators appear here.")],
  appeals: [t("No appeals"), t("Appeals against decisions wait here for a moderator who has not made the decision.")],
  closed: [t("No closed cases"), t("Cases appear here once they are decided.")],
};

/** Create the page at "/moderation". */
export function moderationPage(app) {
  if (!isModerator(app.session.user)) return { title: t("Moderation"), element: emptyPage("lock", t("For moderators"), t("This page is for accounts with the role of a moderator.")) };
  const page = new QueuePage(app);
  return { title: t("Moderation"), element: page.element, leave: () => page.leave() };
}

class QueuePage {
  #app;
  #tab = "active";
  #cursor = null;
  #loads = 0;
  #tabs = h("div.tabs.case-tabs", { role: "tablist", "aria-label": t("Cases") });
  #list = h("ul.cases.panel", { hidden: true });
  #tail = h("div");
  #stop;
  element;

  constructor(app) {
    this.#app = app;
    const shortcuts = [
      ["j", t("Next case"), () => this.#move(1)],
      ["k", t("Previous case"), () => this.#move(-1)],
      ["r", t("Load again"), () => this.#show(this.#tab)],
      ...TABS.map(([tab, label], place) => [String(place + 1), label, () => this.#show(tab)]),
    ];
    this.#stop = handleShortcuts(shortcuts);
    const help = h("button.button.plain.compact.shortcuts-button", { type: "button", onclick: () => shortcutsDialog(shortcuts) }, t("Shortcuts"));
    this.element = h("div", {}, h("div.page-head", {}, h("h1", {}, t("Moderation")), help), this.#tabs, this.#list, this.#tail);
    this.#show("active");
  }

  leave() {
    this.#stop();
    this.#loads += 1;
  }

  #show(tab) {
    this.#tab = tab;
    this.#cursor = null;
    fill(
      this.#tabs,
      TABS.map(([name, label]) => h("button.tab", { type: "button", role: "tab", "aria-selected": String(name === tab), onclick: () => this.#show(name) }, label)),
    );
    fill(this.#list);
    this.#load();
  }

  async #load() {
    const load = ++this.#loads;
    fill(this.#tail, h("div.spinner", { role: "status", "aria-label": t("Loading") }));
    try {
      const { items, next } = await this.#fetch();
      if (load !== this.#loads) return;
      this.#cursor = next;
      for (const item of items) this.#list.append(this.#tab === "appeals" ? appealRow(item) : caseRow(item));
    } catch (error) {
      if (load !== this.#loads) return;
      fill(this.#tail, unavailable(this.#app, { heading: t("Could not load the cases"), error, again: () => this.#load() }));
      return;
    }
    this.#list.hidden = this.#list.childElementCount === 0;
    const more = h("button.button.plain", { type: "button", onclick: () => this.#load() }, t("Show more"));
    if (this.#list.hidden) fill(this.#tail, emptyState("check", ...NOTHING[this.#tab]));
    else fill(this.#tail, this.#cursor && h("div.empty-state", {}, more));
  }

  #fetch() {
    const query = { cursor: this.#cursor, limit: PAGE_SIZE };
    if (this.#tab === "appeals") return this.#app.api.get("/moderation/appeals", query);
    return this.#app.api.get("/moderation/cases", { ...query, state: this.#tab });
  }

  #move(step) {
    const links = [...this.#list.querySelectorAll("a")];
    if (links.length === 0) return;
    const present = links.indexOf(document.activeElement);
    links[Math.min(links.length - 1, Math.max(0, present < 0 ? 0 : present + step))].focus();
  }
}

/** Return what a case is about: "Photo of @ann". */
export function subjectOf({ kind, account }) {
  return SUBJECTS[kind](account ? `@${account.username}` : t("a deleted account"));
}

/** Return the state of a case in words. */
export function stateOf({ state }) {
  return STATES[state] ?? state;
}

/** Return how many users have reported the subject of a case; a case without reports was opened by an automatic rule. */
export function numberOfReports(reports) {
  return reports === 0 ? t("Found automatically") : tn("{count} report", "{count} reports", reports);
}

function caseRow({ id, kind, category, account, reports, priority, state, assigned_to: assignee, opened_at: openedAt }) {
  const facts = [numberOfReports(reports), assignee && `@${assignee.username}`].filter(Boolean);
  return h(
    "li",
    {},
    h(
      "a.case-row",
      { href: `/moderation/${id}` },
      h("span.case-priority", { title: t("Priority") }, String(Math.round(priority)), h("span.visually-hidden", {}, " ", t("priority"))),
      h(
        "span.case-text",
        {},
        h("b", {}, CATEGORIES[category] ?? category),
        h("span", {}, subjectOf({ kind, account })),
        h("span.secondary.small", {}, facts.map((fact) => [fact, " · "]), timeElement(openedAt)),
      ),
      state === "escalated" && h("span.case-mark", {}, t("Escalated")),
    ),
  );
}

function appealRow({ case_id: caseId, decision, account, text, created_at: createdAt }) {
  return h(
    "li",
    {},
    h(
      "a.case-row",
      { href: `/moderation/${caseId}` },
      h(
        "span.case-text",
        {},
        h("b", {}, t("{name} objects to “{action}”", { name: account ? `@${account.username}` : t("A deleted account"), action: DECIDED[decision.action] ?? decision.action })),
        h("span", { dir: "auto" }, text),
        h("span.secondary.small", {}, decision.decided_by ? [t("Decided by {name}", { name: `@${decision.decided_by.username}` }), " · "] : "", timeElement(createdAt)),
      ),
    ),
  );
}
