/** The queue of moderators: cases by their priority, and appeals. */

import { emptyPage, emptyState, fill, h } from "../elements/dom.js";
import { CATEGORIES } from "../reports/report_dialog.js";
import { handleShortcuts, shortcutsDialog } from "../elements/shortcuts.js";
import { timeElement } from "../elements/time.js";

const PAGE_SIZE = 30;
const TABS = [
  ["active", "To decide"],
  ["escalated", "Escalated"],
  ["appeals", "Appeals"],
  ["closed", "Closed"],
];
const KINDS = { photo: "Photo", comment: "Comment", user: "Account" };
const NOTHING = {
  active: ["Nothing to decide", "Reports of users appear here, the most pressing first."],
  escalated: ["Nothing is escalated", "Cases that moderators leave to administrators appear here."],
  appeals: ["No appeals", "Appeals against decisions wait here for a moderator who has not made the decision."],
  closed: ["No closed cases", "Cases appear here once they are decided."],
};

/** Return whether a user may work on cases. */
export function isModerator(user) {
  return user?.role === "moderator" || user?.role === "admin";
}

/** Create the page at "/moderation". */
export function moderationPage(app) {
  if (!isModerator(app.session.user)) return { title: "Moderation", element: emptyPage("lock", "For moderators", "This page is for accounts with the role of a moderator.") };
  const page = new QueuePage(app);
  return { title: "Moderation", element: page.element, leave: () => page.leave() };
}

class QueuePage {
  #app;
  #tab = "active";
  #cursor = null;
  #loads = 0;
  #tabs = h("div.tabs.case-tabs", { role: "tablist", "aria-label": "Cases" });
  #list = h("ul.cases.panel", { hidden: true });
  #tail = h("div");
  #stop;
  element;

  constructor(app) {
    this.#app = app;
    const shortcuts = [
      ["j", "Next case", () => this.#move(1)],
      ["k", "Previous case", () => this.#move(-1)],
      ["r", "Load again", () => this.#show(this.#tab)],
      ...TABS.map(([tab, label], place) => [String(place + 1), label, () => this.#show(tab)]),
    ];
    this.#stop = handleShortcuts(shortcuts);
    const help = h("button.button.plain.compact.shortcuts-button", { type: "button", onclick: () => shortcutsDialog(shortcuts) }, "Shortcuts");
    this.element = h("div", {}, h("div.page-head", {}, h("h1", {}, "Moderation"), help), this.#tabs, this.#list, this.#tail);
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
    fill(this.#tail, h("div.spinner", { role: "status", "aria-label": "Loading" }));
    try {
      const { items, next } = await this.#fetch();
      if (load !== this.#loads) return;
      this.#cursor = next;
      for (const item of items) this.#list.append(this.#tab === "appeals" ? appealRow(item) : caseRow(item));
    } catch (error) {
      if (load !== this.#loads) return;
      const again = h("button.button.plain", { type: "button", onclick: () => this.#load() }, "Try again");
      fill(this.#tail, emptyState("cloud", "Could not load the cases", error.message, again));
      return;
    }
    this.#list.hidden = this.#list.childElementCount === 0;
    const more = h("button.button.plain", { type: "button", onclick: () => this.#load() }, "Show more");
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

/** Return how many users have reported the subject of a case; a case without reports was opened by an automatic rule. */
export function numberOfReports(reports) {
  if (reports === 0) return "Found automatically";
  return reports === 1 ? "1 report" : `${reports} reports`;
}

function caseRow({ id, kind, category, account, reports, priority, state, assigned_to: assignee, opened_at: openedAt }) {
  const facts = [numberOfReports(reports), assignee && `@${assignee.username}`].filter(Boolean);
  return h(
    "li",
    {},
    h(
      "a.case-row",
      { href: `/moderation/${id}` },
      h("span.case-priority", { title: "Priority" }, String(Math.round(priority)), h("span.visually-hidden", {}, " priority")),
      h(
        "span.case-text",
        {},
        h("b", {}, CATEGORIES[category] ?? category),
        h("span", {}, `${KINDS[kind]} of `, account ? `@${account.username}` : "a deleted account"),
        h("span.secondary.small", {}, facts.join(" · "), " · ", timeElement(openedAt)),
      ),
      state === "escalated" && h("span.case-mark", {}, "Escalated"),
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
        h("b", {}, account ? `@${account.username}` : "A deleted account", ` objects to “${decision.action}”`),
        h("span", { dir: "auto" }, text),
        h("span.secondary.small", {}, decision.decided_by ? `Decided by @${decision.decided_by.username} · ` : "", timeElement(createdAt)),
      ),
    ),
  );
}
