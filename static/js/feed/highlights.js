/** The order of the home feed: the buttons that choose it, and the highlights, whose order stays while they are read. */

import { emptyState, fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { PhotoList } from "../photo/photo_list.js";
import { timeElement } from "../elements/time.js";

const ORDERS = { newest: t("Newest"), highlights: t("Highlights") };

/** The buttons "Newest" and "Highlights"; `onChoose(order)` is called when the user chooses the other one. */
export class OrderButtons {
  #buttons;
  element;

  constructor(onChoose) {
    this.#buttons = Object.entries(ORDERS).map(([order, name]) => {
      const choose = (event) => event.currentTarget.getAttribute("aria-pressed") === "true" || onChoose(order);
      return h("button.text-button", { type: "button", data: { order }, onclick: choose }, name);
    });
    this.element = h("div.feed-orders", { role: "group", "aria-label": t("Order of the feed") }, this.#buttons);
    this.show("newest");
  }

  /** Show which order is chosen. */
  show(order) {
    for (const button of this.#buttons) button.setAttribute("aria-pressed", String(button.dataset.order === order));
  }
}

/** Return `{element, leave}` of the highlights; `draw` is that of a `PhotoList`, and `showNewest()` leads back. */
export function highlights(app, { draw, showNewest }) {
  const note = h("p.feed-note.secondary.small", {}, t("Your highlights: the most liked for their age first, at most two of one account in ten."));
  const get = (cursor) => app.api.get("/feed", { order: "highlights", cursor, limit: 10 });
  const load = async (cursor) => {
    try {
      const page = await get(cursor);
      if (cursor === null && page.since) fill(note, sinceLastVisit(page.since));
      return page;
    } catch (error) {
      if (error.code !== "cursor_expired") throw error;
      // The server keeps an order for some minutes. A new one begins, of which the list leaves out what it has already.
      return get(null);
    }
  };
  const list = new PhotoList(app, {
    className: "feed",
    load,
    draw,
    empty: () =>
      emptyState(
        "heart",
        t("Nothing new since your last visit"),
        t("New photos from people you follow are among the highlights as soon as they share them."),
        h("button.button.plain", { type: "button", onclick: showNewest }, t("Show the newest")),
      ),
  });
  return { element: h("div", {}, note, list.element), leave: () => list.leave() };
}

function sinceLastVisit(time) {
  return t("Since your last visit {time}: the most liked for their age first, at most two of one account in ten.", {
    time: timeElement(time, { inSentence: true }),
  });
}
