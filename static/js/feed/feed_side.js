/** The column next to the feed: what it shows is loaded in windows that have the width for it, and never on phones. */

import { h } from "../elements/dom.js";
import { afterLoad } from "../elements/later.js";

/** As in css/home.css. */
const WIDE = "(min-width: 68.75rem)";

/** Return whether the window is wide enough for a column next to the feed. */
export function hasSide() {
  return matchMedia(WIDE).matches;
}

/**
 * Return `{element, leave}`; `options()` are those of `sideColumn`, when it is shown.
 *
 * That is when the feed is `drawn`, a promise, and its first pictures are loaded.
 */
export function feedSide(app, drawn, options) {
  const element = h("div.side-column");
  const wide = matchMedia(WIDE);
  let column = null;
  let left = false;
  const show = async () => {
    await drawn;
    await afterLoad();
    if (!wide.matches || column || left) return;
    try {
      const { sideColumn } = await import("./side_column.js");
      if (left || column) return;
      column = sideColumn(app, options());
      element.append(column.element);
    } catch {
      // It is no part of the feed, which goes without it where it cannot be loaded.
    }
  };
  wide.addEventListener("change", show);
  show();
  const leave = () => {
    left = true;
    wide.removeEventListener("change", show);
    column?.leave();
  };
  return { element, leave };
}
