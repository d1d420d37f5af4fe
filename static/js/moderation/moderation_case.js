/** One case for a moderator: what was reported, the reporters, its history, and what can be done. */

import { decisionDialog, ACTIONS, answerDialog, noteDialog, reversalDialog } from "./decision_dialogs.js";
import { emptyPage, fill, h, icon } from "../elements/dom.js";
import { numberOfReports, stateOf, subjectOf } from "./moderation.js";
import { isModerator } from "../users/roles.js";
import { photoFrame } from "../photo/photo_image.js";
import { CATEGORIES } from "../reports/report_dialog.js";
import { handleShortcuts, shortcutsDialog } from "../elements/shortcuts.js";
import { listed, t, tn } from "../elements/texts.js";
import { unavailable } from "../elements/unavailable.js";
import { timeElement } from "../elements/time.js";
import { avatar, profilePath } from "../users/user.js";

const KINDS = { photo: t("photo"), comment: t("comment"), user: t("account") };
const MARKS = { limited: t("limited"), suspended: t("suspended"), private: t("private"), moderator: t("moderator"), admin: t("administrator") };
const PHOTO_STATES = { processing: t("being processed"), held: t("held"), hidden: t("hidden"), rejected: t("rejected"), removed: t("removed") };
const APPEALS = { pending: t("pending"), upheld: t("upheld"), reverted: t("reverted") };
const EVENTS = {
  opened: t("Opened"),
  found: t("Found automatically"),
  assigned: t("Assigned"),
  unassigned: t("Not assigned"),
  escalated: t("Escalated"),
  returned: t("Returned to the moderators"),
  decided: t("Decided"),
  reverted: t("Reverted"),
  appealed: t("The account concerned appealed"),
  appeal_upheld: t("Appeal answered: upheld"),
  appeal_reverted: t("Appeal answered: reverted"),
  erased: t("Erased"),
};

/** Decisions about a photo that were made outside of its case, by their actions. */
const VERDICTS = {
  allow: (name) => t("{name} allowed the photo", { name }),
  sensitive: (name) => t("{name} marked the photo as sensitive", { name }),
  hold: (name) => t("{name} held the photo", { name }),
  hide: (name) => t("{name} hid the photo", { name }),
};

/** Create the page at "/moderation/:id". */
export function moderationCasePage(app, { id }) {
  if (!isModerator(app.session.user)) return { title: t("Moderation"), element: emptyPage("lock", t("For moderators"), t("This page is for accounts with the role of a moderator.")) };
  const page = new CasePage(app, id);
  return { title: t("Case"), element: page.element, wide: true, leave: () => page.leave() };
}

class CasePage {
  #app;
  #path;
  #case = null;
  #revealed = false;
  #stop = () => {};
  element = h("div.case-page", {}, h("div.spinner", { role: "status", "aria-label": t("Loading the case") }));

  constructor(app, id) {
    this.#app = app;
    this.#path = `/moderation/cases/${id}`;
    this.#load();
  }

  leave() {
    this.#stop();
  }

  async #load() {
    try {
      this.#show(await this.#app.api.get(this.#path));
    } catch (error) {
      const missing = error.status === 404 || error.status === 400;
      fill(this.element, missing ? emptyPage("search", t("Case not found"), t("There is no such case.")) : unavailable(this.#app, { heading: t("Could not load the case"), error, again: () => this.#app.router.reset(), page: true }));
    }
  }

  #show(found) {
    this.#case = found;
    this.#stop();
    const shortcuts = this.#shortcuts();
    this.#stop = handleShortcuts(shortcuts);
    const { category, reports } = found;
    const title = t("{category}: {subject}", { category: CATEGORIES[category] ?? category, subject: subjectOf(found) });
    fill(
      this.element,
      h(
        "div.page-head",
        {},
        h("a.icon-button", { href: "/moderation", "aria-label": t("Back to the queue") }, icon("back")),
        h("h1", {}, title),
        h("button.button.plain.compact.shortcuts-button", { type: "button", onclick: () => shortcutsDialog(shortcuts) }, t("Shortcuts")),
      ),
      h("p.secondary.case-facts", {}, numberOfReports(reports), " · ", t("priority {number}", { number: Math.round(found.priority) }), " · ", stateOf(found), " · ", timeElement(found.opened_at)),
      h("div.case-columns", {}, h("div", {}, this.#subject(), this.#concerned()), h("div", {}, this.#actions(), this.#reports(), this.#decisions(), this.#others(), this.#audit())),
    );
    this.#app.router.setTitle(title);
  }

  #shortcuts() {
    const open = this.#case.state !== "closed";
    return [
      [" ", t("Show or blur the photo"), () => this.#reveal(!this.#revealed)],
      ...(open ? this.#possible().map((action, place) => [String(place + 1), ACTIONS[action].label, () => this.#decide(action)]) : []),
      ...(open ? [["a", t("Assign to me"), () => this.#assign(this.#app.session.id)], ["e", t("Escalate"), () => this.#escalate()]] : []),
      ["u", t("Back to the queue"), () => this.#app.router.go("/moderation")],
    ];
  }

  #possible() {
    return Object.keys(ACTIONS).filter((action) => ACTIONS[action].of.includes(this.#case.kind));
  }

  #subject() {
    const { kind, photo, comment } = this.#case;
    if (kind === "comment") return h("blockquote.case-comment.panel", { dir: "auto" }, comment ? [comment.text, comment.hidden && h("span.case-mark", {}, t("Hidden"))] : t("The comment is deleted."));
    if (kind !== "photo") return null;
    if (!photo) return h("p.panel.case-comment", {}, t("The photo is deleted."));
    const frame = photoFrame(photo);
    const cover = h("button.case-cover", { type: "button", onclick: () => this.#reveal(true) }, h("span", {}, t("Show the photo")));
    return h(
      "figure.case-photo",
      { data: { revealed: String(this.#revealed) } },
      h("div.case-frame", {}, frame, cover),
      h("figcaption", {}, photo.caption && h("p", { dir: "auto" }, photo.caption), photo.alt_text && h("p.secondary.small", { dir: "auto" }, photo.alt_text), photo.state !== "ready" && h("span.case-mark", {}, PHOTO_STATES[photo.state] ?? photo.state)),
    );
  }

  /** Photos are blurred until the moderator wants to see them. */
  #reveal(revealed) {
    const photo = this.element.querySelector(".case-photo");
    if (!photo) return;
    this.#revealed = revealed;
    photo.dataset.revealed = String(revealed);
  }

  #concerned() {
    const { concerned } = this.#case;
    if (!concerned) return h("p.panel.case-comment", {}, t("The account is deleted."));
    const marks = [concerned.limited_at && "limited", concerned.suspended_at && "suspended", concerned.private && "private", concerned.role !== "user" && concerned.role].filter(Boolean);
    return h(
      "div.panel.case-account",
      {},
      h("a.user-row", { href: profilePath(concerned) }, avatar(concerned), h("span.user-names", {}, h("span.name", {}, concerned.display_name || concerned.username), h("span.secondary.small", {}, h("bdi", {}, `@${concerned.username}`), " · ", tn("{count} follower", "{count} followers", concerned.followers), " · ", tn("{count} photo", "{count} photos", concerned.photos)))),
      concerned.bio && h("p", { dir: "auto" }, concerned.bio),
      h("p.secondary.small", {}, t("Joined {time}", { time: timeElement(concerned.created_at, { inSentence: true }) }), marks.length > 0 && [" · ", listed(marks.map((mark) => MARKS[mark] ?? mark), "unit")]),
    );
  }

  #actions() {
    const { state, assigned_to: assignee } = this.#case;
    if (state === "closed") return null;
    const mine = assignee?.id === this.#app.session.id;
    const escalated = state === "escalated";
    return h(
      "section.panel.case-section",
      {},
      h("h2", {}, t("Decide")),
      h("div.case-buttons", {}, this.#possible().map((action) => h(`button.button.compact${ACTIONS[action].danger ? ".danger" : ".plain"}`, { type: "button", onclick: () => this.#decide(action) }, ACTIONS[action].label))),
      h(
        "div.case-buttons",
        {},
        h("button.button.plain.compact", { type: "button", onclick: () => this.#assign(mine ? null : this.#app.session.id) }, mine ? t("Remove the assignment") : t("Assign to me")),
        h("button.button.plain.compact", { type: "button", onclick: () => this.#escalate() }, escalated ? t("Return") : t("Escalate")),
      ),
      assignee && h("p.secondary.small", {}, t("Assigned to {name}", { name: `@${assignee.username}` })),
    );
  }

  #reports() {
    if (this.#case.report_list.length === 0) return null;
    const rows = this.#case.report_list.map(({ category, text, reporter, trust, created_at: createdAt }) =>
      h("li", {}, h("b", {}, CATEGORIES[category] ?? category), text && h("p", { dir: "auto" }, text), h("p.secondary.small", {}, reporter ? `@${reporter.username}` : t("a deleted account"), " · ", t("trust {number}", { number: trust }), " · ", timeElement(createdAt))),
    );
    return h("section.panel.case-section", {}, h("h2", {}, t("Reports")), h("ul", {}, rows));
  }

  #decisions() {
    const { decisions, appeals } = this.#case;
    if (decisions.length === 0) return null;
    const rows = decisions.map((decision) => {
      const appeal = appeals.find((each) => each.decision_id === decision.id);
      const name = decision.reverts ? t("Reverted a decision") : ACTIONS[decision.action].done;
      const revertible = decision.action !== "none" && !decision.reverted;
      return h(
        "li",
        {},
        h("b", {}, decision.reverted ? t("{decision} (reverted)", { decision: name }) : name),
        decision.reason && h("p", { dir: "auto" }, decision.reason),
        decision.note && h("p.secondary", { dir: "auto" }, t("Note: {note}", { note: decision.note })),
        h("p.secondary.small", {}, decision.decided_by ? `@${decision.decided_by.username}` : "PicShare", " · ", timeElement(decision.created_at)),
        appeal && h("blockquote", { dir: "auto" }, appeal.text, h("span.secondary.small", {}, " ", APPEALS[appeal.state] ?? appeal.state), appeal.answer && h("p", {}, appeal.answer)),
        h(
          "div.case-buttons",
          {},
          appeal?.state === "pending" && h("button.button.compact", { type: "button", onclick: () => answerDialog(this.#app, decision, () => this.#load()) }, t("Answer the appeal")),
          revertible && h("button.button.plain.compact", { type: "button", onclick: () => reversalDialog(this.#app, decision, () => this.#load()) }, t("Revert")),
        ),
      );
    });
    return h("section.panel.case-section", {}, h("h2", {}, t("Decisions")), h("ul", {}, rows));
  }

  #others() {
    const others = this.#case.other_cases;
    if (others.length === 0) return null;
    const rows = others.map(({ id, kind, category, state, opened_at: openedAt }) => h("li", {}, h("a", { href: `/moderation/${id}` }, t("{category} ({kind})", { category: CATEGORIES[category] ?? category, kind: KINDS[kind] })), h("span.secondary.small", {}, " ", stateOf({ state }), " · ", timeElement(openedAt))));
    return h("section.panel.case-section", {}, h("h2", {}, t("Other cases about this account")), h("ul", {}, rows));
  }

  #audit() {
    const rows = this.#case.audit.map(({ action, actor, details, created_at: createdAt }) => {
      if (action === "verdict") return verdictRow(details, actor, createdAt);
      const more = details.note || details.rule || ACTIONS[details.action]?.label;
      return h("li", {}, EVENTS[action] ?? action, more && `: ${more}`, h("span.secondary.small", {}, actor && `@${actor.username} · `, timeElement(createdAt)));
    });
    return h("section.panel.case-section", {}, h("h2", {}, t("History")), h("ol", {}, rows));
  }

  #decide(action) {
    decisionDialog(this.#app, this.#case, action, () => this.#load());
  }

  async #assign(userId) {
    await this.#change({ assigned_to: userId });
  }

  #escalate() {
    if (this.#case.state === "escalated") this.#change({ state: "open" });
    else noteDialog(t("Escalate to the administrators"), t("Escalate"), (note) => this.#app.api.patch(this.#path, { state: "escalated", note }), () => this.#load());
  }

  async #change(fields) {
    try {
      this.#show(await this.#app.api.patch(this.#path, fields));
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }
}

/** Return the entry of a decision that was made outside of the case. */
function verdictRow({ verdict, by, note }, actor, createdAt) {
  const decider = actor ? `@${actor.username}` : by === "moderator" ? t("An operator") : t("A service");
  return h("li", {}, VERDICTS[verdict]?.(decider) ?? `${decider} ${verdict}`, note && `: ${note}`, h("span.secondary.small", {}, " · ", timeElement(createdAt)));
}
