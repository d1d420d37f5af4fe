/** Long captions in a feed: their first lines, and a button for the rest. */

import { h } from "../elements/dom.js";
import { t } from "../elements/texts.js";

/** Captions of up to so many characters and lines are shown whole. */
const MOST_CHARACTERS = 260;
const MOST_LINES = 5;

/** Fold the caption among the nodes of a photo's text, if it is long; return the nodes. */
export function folded(nodes, caption) {
  if (caption.length <= MOST_CHARACTERS && caption.split("\n").length <= MOST_LINES) return nodes;
  const [text, ...others] = nodes;
  const unfold = () => {
    text.classList.remove("folded");
    button.remove();
  };
  const button = h("button.text-button.secondary", { type: "button", onclick: unfold }, t("Show all of it"));
  text.classList.add("folded");
  // A link that gets the focus must be seen.
  text.addEventListener("focusin", unfold);
  return [text, button, ...others];
}
