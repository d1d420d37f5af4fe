/** The dialogs of moderators: decide a case, undo a decision, answer an appeal. */

import { h } from "../elements/dom.js";
import { choice, field, form } from "../elements/form.js";
import { t } from "../elements/texts.js";
import { CATEGORIES } from "../reports/report_dialog.js";

/** The actions in the order of their keys, and what they can be done to. */
export const ACTIONS = {
  none: { label: t("Keep it"), done: t("Kept"), of: ["photo", "comment", "user"], text: t("Nothing changes. The reporters are told that it may stay.") },
  sensitive: { label: t("Mark as sensitive"), done: t("Marked as sensitive"), of: ["photo"], text: t("The photo is blurred until a viewer wants to see it.") },
  hide: { label: t("Hide"), done: t("Hidden"), of: ["photo", "comment"], text: t("A photo is shown to its author alone, a comment not at all.") },
  remove: { label: t("Remove"), done: t("Removed"), of: ["photo", "comment"], danger: true, text: t("It is hidden at once, and erased after 30 days.") },
  limit: { label: t("Limit the account"), done: t("Account limited"), of: ["photo", "comment", "user"], danger: true, text: t("Followers see the account as before. Others do not find it or what it posts.") },
  suspend: { label: t("Suspend the account"), done: t("Account suspended"), of: ["photo", "comment", "user"], danger: true, text: t("The account is gone for all others at once, and deleted after 30 days.") },
};

/** Ask for the reasons of a decision, and make it; `done()` is called afterwards. */
export function decisionDialog(app, found, action, done) {
  const { label, text } = ACTIONS[action];
  const rule = choice("rule", t("Rule"), Object.entries(CATEGORIES), { value: found.category, hint: t("The ground of the decision.") });
  const reason = long("reason", t("Reason"), action === "none" ? t("Optional.") : t("The account concerned reads it."));
  const facts = long("facts", t("Facts"), t("Optional. What the decision relies on; the account concerned reads it."));
  const note = long("note", t("Note"), t("Optional. For moderators alone."));
  const inputs = action === "none" ? [note] : [rule, reason, facts, note];
  const send = () =>
    app.api.post(`/moderation/cases/${found.id}/decisions`, {
      action,
      rule: rule.input.value,
      reason: reason.input.value,
      facts: facts.input.value,
      note: note.input.value,
    });
  const submit = async () => {
    if (action !== "none" && reason.input.value.trim() === "") throw missing("reason", t("Say why."));
    await send();
    app.toasts.show(ACTIONS[action].done, { iconName: "check" });
  };
  open(label, text, inputs, label, submit, done);
}

/** Ask why a decision is undone, and undo it. */
export function reversalDialog(app, decision, done) {
  const reason = long("reason", t("Reason"), t("The account concerned reads it."));
  const submit = () => app.api.post(`/moderation/decisions/${decision.id}/reversal`, { reason: reason.input.value });
  open(t("Revert the decision"), t("What it did is undone."), [reason], t("Revert"), submit, done);
}

/** Answer an appeal. */
export function answerDialog(app, decision, done) {
  const outcome = choice(
    "outcome",
    t("Outcome"),
    [
      ["upheld", t("The decision stays")],
      ["reverted", t("The decision is reverted")],
    ],
    { value: "upheld", hint: t("The account concerned is notified.") },
  );
  const answer = long("answer", t("Answer"), t("The account concerned reads it."));
  const submit = () => app.api.post(`/moderation/appeals/${decision.id}/answer`, { outcome: outcome.input.value, answer: answer.input.value });
  open(t("Answer the appeal"), t("A moderator who has not made the decision answers."), [outcome, answer], t("Answer"), submit, done);
}

/** Ask for a note, and call `send(note)`. */
export function noteDialog(heading, action, send, done) {
  const note = long("note", t("Note"), t("Optional. Why."));
  open(heading, null, [note], action, () => send(note.input.value), done);
}

function long(name, label, hint) {
  return field(name, label, { kind: "textarea", hint, attributes: { maxlength: 2000, rows: 2, dir: "auto" } });
}

function missing(name, message) {
  return Object.assign(new Error(message), { fields: { [name]: message } });
}

function open(heading, text, inputs, action, submit, done) {
  const sheet = form({
    inputs,
    action,
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Cancel")),
    submit: async () => {
      await submit();
      dialog.close();
      done();
    },
  });
  const dialog = h("dialog.keep.report-dialog", { "aria-labelledby": "decision-heading" }, h("h2", { id: "decision-heading" }, heading), text && h("p.secondary", {}, text), sheet);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
