/** Sensitive photos, which are blurred until the viewer wants to see them, and the notes of moderation for their authors. */

import { h, icon } from "../elements/dom.js";
import { t } from "../elements/texts.js";

/** The photos that the viewer has chosen to see, as long as the page is open. */
const shown = new Set();
/** What shows the photo instead of each cover. */
const uncover = new WeakMap();

/** Return whether a photo is to be covered. */
export function isCovered(photo) {
  return Boolean(photo.sensitive) && !shown.has(photo.id);
}

/** Return what covers a photo in a grid, whose cell leads to the photo's own page. */
export function smallCover() {
  return h("div.cover-sensitive", {}, icon("image"));
}

/** Return what covers a photo, with a button that calls `show` here and in every other place where it is covered. */
export function cover(photo, show) {
  const reveal = (event) => {
    event.stopPropagation(); // a tap on the button is none on the photo
    shown.add(photo.id);
    for (const other of document.querySelectorAll(`.cover-sensitive[data-photo="${CSS.escape(photo.id)}"]`)) uncover.get(other)?.();
  };
  const button = h("button.button.compact", { type: "button", onclick: reveal }, t("Show"));
  const element = h("div.cover-sensitive", { data: { photo: photo.id } }, icon("image"), h("span", {}, t("Sensitive content")), button);
  uncover.set(element, show);
  return element;
}

/** Return the note of moderation about the viewer's own photo, or null without one. */
export function moderationNote({ moderation }) {
  if (!moderation) return null;
  const reason = moderation.reason && [": ", h("bdi", {}, moderation.reason)];
  return h("p.moderation-note", { role: "note" }, icon("lock"), h("span", {}, NOTES[moderation.state], reason));
}

/** Return the text of the note without its reason; "" without a note. */
export function moderationText({ moderation }) {
  return moderation ? NOTES[moderation.state] : "";
}

const NOTES = {
  held: t("Only you see this photo until it was reviewed"),
  hidden: t("This photo was hidden from others"),
  sensitive: t("This photo was marked as sensitive"),
};
