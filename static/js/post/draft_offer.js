/** The offer to continue the draft of a tab that was closed, or of a browser that has crashed. */

import { h } from "../elements/dom.js";
import { t, tn } from "../elements/texts.js";
import { timeElement } from "../elements/time.js";

/** Return the offer of a draft {savedAt, texts, pictures}, with buttons that call `go()` and `discard()`. */
export function draftOffer({ savedAt, texts, pictures }, { go, discard }) {
  const values = { when: timeElement(new Date(savedAt).toISOString(), { inSentence: true }) };
  const left = pictures.length > 0 ? tn("{count} picture, left {when}", "{count} pictures, left {when}", pictures.length, values) : t("Left {when}", values);
  const caption = texts?.caption?.trim();
  return h(
    "section.draft-offer",
    { "aria-labelledby": "draft-heading" },
    h("h2", { id: "draft-heading" }, t("Continue your draft?")),
    h("p.secondary.small", {}, left),
    caption && h("p.draft-caption", { dir: "auto" }, caption),
    h(
      "div.choices",
      {},
      h("button.button.compact", { type: "button", onclick: go }, t("Continue")),
      h("button.button.plain.compact", { type: "button", onclick: discard }, t("Discard it")),
    ),
  );
}
