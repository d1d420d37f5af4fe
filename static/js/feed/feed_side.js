/** The column next to the feed: what it shows is loaded in windows that have the width for it, and never on phones. */

import { h } from "../elements/dom.js";

/** As in css/home.css. */
const WIDE = "(min-width: 68.75rem)";
/** The feed and its photos come first, and the account of the user. */
const DELAY_MS = 5000;

/** Return whether the window is wide enough for a column next to the feed. */
export function hasSide() {
  return matchMedia(WIDE).matches;
}

/** Return `{element, leave}`; `options()` are those of `sideColumn`, when it is shown. */
export function feedSide(app, options) {
  const element = h("div.side-column");
  const wide = matchMedia(WIDE);
  let column = null;
  let left = false;
  const show = async () => {
    if (!wide.matches || column) return;
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
  const timer = setTimeout(show, DELAY_MS);
  const leave = () => {
    left = true;
    clearTimeout(timer);
    wide.removeEventListener("change", show);
    column?.leave();
  };
  return { element, leave };
}
