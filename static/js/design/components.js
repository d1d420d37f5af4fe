/** The components on the page of the design, in their states. */

import { confirmDialog, emptyState, h, icon, ICON_NAMES } from "../elements/dom.js";
import { checkbox, choice, field } from "../elements/form.js";
import { menu } from "../elements/menu.js";
import { userRow } from "../users/user.js";

const USER = { id: "0", username: "ada.example", display_name: "Ada Example", avatar_url: null };

/** Return a part for each group of components. */
export function components(app) {
  return [
    part("Icons", iconList()),
    part("Buttons", buttons()),
    part("Links and choices", choices()),
    part("Fields", fields()),
    part("Menus, dialogs and messages", overlays(app)),
    part("Lists", h("ul.user-list.panel", {}, h("li", {}, userRow(USER, h("button.button.compact", { type: "button" }, "Follow"))))),
    part("Loading and nothing", waiting()),
  ];
}

function part(heading, ...content) {
  return h("section", {}, h("h2", {}, heading), content);
}

function row(...content) {
  return h("div.design-row", {}, content);
}

function iconList() {
  return h("ul.design-tokens", {}, ICON_NAMES.map((name) => h("li", {}, icon(name), h("code", {}, name))));
}

function buttons() {
  const states = (kind) =>
    row(
      h(`button.button${kind}`, { type: "button" }, "Normal"),
      h(`button.button${kind}.demonstrated-focus`, { type: "button" }, "Focused"),
      h(`button.button${kind}`, { type: "button", disabled: true }, "Disabled"),
      h(`button.button${kind}.compact`, { type: "button" }, "Compact"),
    );
  const iconButtons = row(
    h("button.icon-button", { type: "button", "aria-label": "Normal" }, icon("bell")),
    h("button.icon-button.demonstrated-focus", { type: "button", "aria-label": "Focused" }, icon("bell")),
    h("button.icon-button", { type: "button", "aria-label": "Disabled", disabled: true }, icon("bell")),
    h("button.action.like", { type: "button", "aria-label": "Like", "aria-pressed": "false" }, icon("heart")),
    h("button.action.like", { type: "button", "aria-label": "Pressed", "aria-pressed": "true" }, icon("heart")),
    h("button.text-button", { type: "button" }, "Text"),
  );
  return [states(""), states(".plain"), states(".danger"), iconButtons];
}

function choices() {
  const chips = row(
    h("a.chip", { href: "/tag/sea" }, "#sea"),
    h("button.chip", { type: "button", "aria-pressed": "true" }, "Pressed"),
    h("button.chip", { type: "button", "aria-pressed": "false" }, "Not pressed"),
    h("span.badge", {}, "3"),
  );
  return [chips];
}

function fields() {
  const wrong = field("wrong", "With an error");
  const disabled = field("disabled", "Disabled", { attributes: { disabled: true, value: "Fixed" } });
  wrong.setError("Enter at least two characters.");
  // The router would focus it, as on a page whose form was refused.
  wrong.input.removeAttribute("aria-invalid");
  const inputs = [
    field("normal", "Text", { hint: "A hint says what is expected." }),
    wrong,
    disabled,
    field("long", "Long text", { kind: "textarea" }),
    choice("choice", "One of several", [["a", "First"], ["b", "Second"]], { value: "a", hint: "The values of a list." }),
    checkbox("check", "Check box", "What it does, in one sentence.", true),
  ];
  return h("div.form", {}, inputs.map(({ element }) => element), h("p.form-error", {}, "An error of the whole form."));
}

function overlays(app) {
  const ask = () => confirmDialog({ heading: "Delete this photo?", text: "This cannot be undone.", action: "Delete" });
  return row(
    menu("Sample menu", [
      ["link", "Copy link", () => {}],
      ["trash", "Delete", () => {}, "danger"],
    ]),
    h("button.button.plain", { type: "button", onclick: ask }, "Open a dialog"),
    h("button.button.plain", { type: "button", onclick: () => app.toasts.show("Saved", { iconName: "check" }) }, "Show a message"),
  );
}

function waiting() {
  return [
    h("div.spinner", { role: "status", "aria-label": "Loading" }),
    h("progress", { max: 100, value: 40, "aria-label": "Sample of progress" }),
    emptyState("image", "Nothing here yet", "An empty page says what appears here, and how.", h("button.button.plain", { type: "button" }, "Try again")),
  ];
}
