/** Texts in the file of a photo that suit its description or caption: offered to the author, who takes them over. */

import { h } from "../elements/dom.js";
import { t } from "../elements/texts.js";

/** The field of each text: what its button is called, and what is asked. */
const FIELDS = {
  alt_text: { use: t("Use as description"), ask: t("Use the text in the file as description?") },
  caption: { use: t("Use as caption"), ask: t("Use the text in the file as caption?") },
};

/** Offer the text below a field of a form, unless the field has it already. */
export function suggestFor({ element, input, name }, text) {
  if (!text) return;
  const offer = suggestion(name, t("Suggested from the file"), text, () => {
    input.value = text;
    input.dispatchEvent(new Event("input"));
    input.focus();
  });
  const update = () => (offer.hidden = input.value.trim() === text);
  input.addEventListener("input", update);
  update();
  element.append(offer);
}

/**
 * Return an element that offers the texts for the empty fields of a new photo, or null if there are none.
 *
 * `save(fields)` stores a text that is taken over; `done()` is called when none is left to offer.
 */
export function newPhotoSuggestions(photo, { save, done }) {
  const offered = Object.entries(photo.suggestions ?? {}).filter(([name]) => !photo[name]);
  if (offered.length === 0) return null;
  const element = h("div.suggestions");
  for (const [name, text] of offered) {
    const offer = suggestion(name, FIELDS[name].ask, text, async () => {
      const button = offer.querySelector("button");
      if (button.getAttribute("aria-disabled")) return;
      button.setAttribute("aria-disabled", "true");
      if (!(await save({ [name]: text }))) button.removeAttribute("aria-disabled");
      else {
        offer.remove();
        if (!element.hasChildNodes()) done();
      }
    });
    element.append(offer);
  }
  return element;
}

function suggestion(name, label, text, use) {
  const button = h("button.button.plain.compact", { type: "button", "aria-label": FIELDS[name].use, onclick: use }, t("Use"));
  return h("div.suggestion.small", {}, h("p", {}, h("span.secondary", {}, label), " ", h("q", { dir: "auto" }, text)), button);
}
