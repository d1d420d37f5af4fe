/** Forms: each field has a label and a place for its error, the form a place for all other errors. */

import { asSentence, fill, h } from "./dom.js";
import { setAttribute } from "./shown_texts.js";
import { t } from "./texts.js";

let fields = 0;

/**
 * Return `{element, input, name, setError}`: a labelled field.
 *
 * `kind` is an input type or "textarea"; `attributes` go to the input; `hint` is a sentence under it.
 */
export function field(name, label, { kind = "text", hint = null, attributes = {} } = {}) {
  const id = `field-${name}-${++fields}`;
  const describedBy = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  const common = { id, name, "aria-describedby": describedBy, ...attributes };
  const input = kind === "textarea" ? h("textarea", common) : h("input", { type: kind, ...common });
  const error = h("p.error", { id: `${id}-error`, hidden: true });
  const control = kind === "password" ? withReveal(input) : input;
  const element = h("div.field", {}, h("label", { for: id }, label), control, hint && h("p.hint", { id: `${id}-hint` }, hint), error);
  const setError = (message) => {
    fill(error, message ?? "");
    error.hidden = !message;
    element.classList.toggle("wrong", Boolean(message));
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  input.addEventListener("input", () => setError(null));
  return { element, input, name, setError };
}

/** Return `{element, input, name, setError}`: a check box with a label and an explanation. */
export function checkbox(name, label, explanation, checked) {
  const input = h("input", { type: "checkbox", name, checked });
  const element = h("label.check", {}, input, h("span", {}, h("b", {}, label), h("span.secondary.small", {}, explanation)));
  return { element, input, name, setError: () => {} };
}

/** Return `{element, input, name, setError}`: a list of choices, pairs of a value and its text. */
export function choice(name, label, choices, { value, hint }) {
  const id = `field-${name}-${++fields}`;
  const options = choices.map(([key, text]) => h("option", { value: key, selected: key === value }, text));
  const input = h("select", { id, name, "aria-describedby": `${id}-hint` }, options);
  const element = h("div.field", {}, h("label", { for: id }, label), input, h("p.hint", { id: `${id}-hint` }, hint));
  return { element, input, name, setError: () => {} };
}

/**
 * Return a form that shows the errors of the API and ignores a submit while another one is in progress.
 *
 * `submit()` does the work. The messages in the `fields` of its `ApiError` are shown at the fields of these names, any
 * other error above the button. `error` is one to show from the beginning. With `danger` the button looks like one.
 */
export function form({ inputs, action, submit, extra = null, error = null, danger = false }) {
  const errorText = h("p.form-error", { role: "alert", hidden: true });
  const button = h(danger ? "button.button.full.danger" : "button.button.full", { type: "submit" }, action);
  const element = h("form.form", { novalidate: true, onsubmit: send }, inputs.map((item) => item.element), errorText, button, extra);

  if (error) show(error, inputs, errorText);

  async function send(event) {
    event.preventDefault();
    if (button.getAttribute("aria-disabled")) return;
    clear(inputs, errorText);
    button.setAttribute("aria-disabled", "true");
    try {
      await submit();
    } catch (error) {
      show(error, inputs, errorText);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }
  return element;
}

/** Throw an error with the message of each field that is empty; `pairs` are fields with their messages. */
export function requireValues(...pairs) {
  const empty = pairs.filter(([item]) => item.input.value.trim() === "");
  if (empty.length === 0) return;
  throw Object.assign(new Error(t("Fill in the missing fields.")), {
    fields: Object.fromEntries(empty.map(([item, message]) => [item.name, message])),
  });
}

function clear(inputs, errorText) {
  for (const item of inputs) item.setError(null);
  errorText.hidden = true;
}

function show(error, inputs, errorText) {
  let first = null;
  for (const item of inputs) {
    const message = error.fields?.[item.name];
    if (!message) continue;
    item.setError(asSentence(message));
    first ??= item.input;
  }
  if (first) {
    first.focus();
    return;
  }
  errorText.textContent = asSentence(error.message);
  errorText.hidden = false;
}

function withReveal(input) {
  const button = h("button", { type: "button", "aria-label": t("Show password") }, t("Show"));
  button.addEventListener("click", () => {
    const hidden = input.type === "password";
    input.type = hidden ? "text" : "password";
    fill(button, hidden ? t("Hide") : t("Show"));
    setAttribute(button, "aria-label", hidden ? t("Hide password") : t("Show password"));
  });
  return h("div.password", {}, input, button);
}
