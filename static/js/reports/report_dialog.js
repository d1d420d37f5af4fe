/** Report a photo, comment or account to the moderators. */

import { fill, h, icon } from "../elements/dom.js";
import { field, form } from "../elements/form.js";

/** What the categories are called, the order in which they are offered. */
export const CATEGORIES = {
  spam: "Spam or advertising",
  harassment: "Harassment or bullying",
  hate: "Hate",
  nudity: "Nudity",
  violence: "Violence",
  self_harm: "Self-harm or suicide",
  child_safety: "A child is in danger, or abused",
  impersonation: "Pretends to be someone else",
  copyright: "Uses someone else’s work",
  illegal: "Something else that is illegal",
  other: "Something else",
};

/** Ask why something is reported, and report it; `what` names it in a sentence ("this photo"). */
export function reportDialog(app, { kind, id, what, account }) {
  const inputs = Object.entries(CATEGORIES).map(([value, name]) => {
    const input = h("input", { type: "radio", name: "category", value });
    return [input, h("label.check", {}, input, h("span", {}, name))];
  });
  const error = h("p.error", { id: "report-error", hidden: true });
  const setError = (message) => {
    error.textContent = message ?? "";
    error.hidden = !message;
  };
  const category = {
    name: "category",
    input: inputs[0][0],
    setError,
    element: h("fieldset.field.report-categories", { "aria-describedby": "report-error" }, h("legend.label", {}, "What is wrong?"), inputs.map(([, label]) => label), error),
  };
  const text = field("text", "Details", { kind: "textarea", hint: "Optional. What the moderators should know.", attributes: { maxlength: 1000, rows: 3, dir: "auto" } });
  const sheet = form({
    inputs: [category, text],
    action: "Send report",
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, "Cancel"),
    submit: async () => {
      const chosen = inputs.find(([input]) => input.checked)?.[0].value;
      if (!chosen) throw Object.assign(new Error("Choose what is wrong."), { fields: { category: "Choose what is wrong." } });
      await app.api.post("/reports", { kind, id, category: chosen, text: text.input.value.trim() });
      thank();
    },
  });
  const thank = () => {
    fill(
      dialog,
      h("div.report-thanks", {}, icon("check"), h("h2", { id: "report-heading", tabindex: "-1" }, "Thank you")),
      h("p", {}, "A moderator looks at it, and you are notified of the outcome. Your report is confidential."),
      account && h("p.secondary", {}, `You can also mute or block @${account} on their profile.`),
      h("div.dialog-actions", {}, h("button.button", { type: "button", onclick: () => dialog.close() }, "Done")),
    );
    dialog.querySelector("h2").focus();
  };
  const dialog = h(
    "dialog.keep.report-dialog",
    { "aria-labelledby": "report-heading" },
    h("h2", { id: "report-heading" }, `Report ${what}`),
    h("p.secondary", {}, "Moderators compare it with the rules. In an emergency, call the local services instead."),
    sheet,
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
