/** Report a photo, comment or account to the moderators. */

import { fill, h, icon } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { t } from "../elements/texts.js";

/** What the categories are called, the order in which they are offered. */
export const CATEGORIES = {
  spam: t("Spam or advertising"),
  harassment: t("Harassment or bullying"),
  hate: t("Hate"),
  nudity: t("Nudity"),
  violence: t("Violence"),
  self_harm: t("Self-harm or suicide"),
  child_safety: t("A child is in danger, or abused"),
  impersonation: t("Pretends to be someone else"),
  copyright: t("Uses someone else’s work"),
  illegal: t("Something else that is illegal"),
  other: t("Something else"),
};

/** Ask why something is reported, and report it; `what` is the heading ("Report this photo"). */
export function reportDialog(app, { kind, id, what, account }) {
  const inputs = Object.entries(CATEGORIES).map(([value, name]) => {
    const input = h("input", { type: "radio", name: "category", value });
    return [input, h("label.check", {}, input, h("span", {}, name))];
  });
  const error = h("p.error", { id: "report-error", hidden: true });
  const setError = (message) => {
    fill(error, message ?? "");
    error.hidden = !message;
  };
  const category = {
    name: "category",
    input: inputs[0][0],
    setError,
    element: h("fieldset.field.report-categories", { "aria-describedby": "report-error" }, h("legend.label", {}, t("What is wrong?")), inputs.map(([, label]) => label), error),
  };
  const text = field("text", t("Details"), { kind: "textarea", hint: t("Optional. What the moderators should know."), attributes: { maxlength: 1000, rows: 3, dir: "auto" } });
  const sheet = form({
    inputs: [category, text],
    action: t("Send report"),
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Cancel")),
    submit: async () => {
      const chosen = inputs.find(([input]) => input.checked)?.[0].value;
      if (!chosen) throw Object.assign(new Error(t("Choose what is wrong.")), { fields: { category: t("Choose what is wrong.") } });
      await app.api.post("/reports", { kind, id, category: chosen, text: text.input.value.trim() });
      thank();
    },
  });
  const thank = () => {
    fill(
      dialog,
      h("div.report-thanks", {}, icon("check"), h("h2", { id: "report-heading", tabindex: "-1" }, t("Thank you"))),
      h("p", {}, t("A moderator looks at it, and you are notified of the outcome. Your report is confidential.")),
      account && h("p.secondary", {}, t("You can also mute or block {name} on their profile.", { name: `@${account}` })),
      h("div.dialog-actions", {}, h("a.button.plain", { href: "/settings/reports", onclick: () => dialog.close() }, t("Your reports")), h("button.button", { type: "button", onclick: () => dialog.close() }, t("Done"))),
    );
    dialog.querySelector("h2").focus();
  };
  const dialog = h(
    "dialog.keep.report-dialog",
    { "aria-labelledby": "report-heading" },
    h("h2", { id: "report-heading" }, what),
    h("p.secondary", {}, t("Moderators compare it with the rules. In an emergency, call the local services instead.")),
    sheet,
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
