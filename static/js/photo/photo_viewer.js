/** Where photos are opened at full size: what each card, cell and page shows, and the keys that act on it. */

import { h, icon } from "../elements/dom.js";
import { t } from "../elements/texts.js";

/** The photos by the elements that show them. */
const shown = new WeakMap();

/** Note that an element with the class "viewable" shows a photo. */
export function markViewable(element, photo) {
  element.classList.add("viewable");
  shown.set(element, photo);
}

/** Return the photo that an element shows. */
export function viewedPhoto(element) {
  return shown.get(element);
}

/** Return the elements with photos of the list that has `element`, in its order; that element alone outside a list. */
export function viewableList(element) {
  const list = element.closest(".feed, .grid");
  return list ? [...list.querySelectorAll(".viewable:not(.leaving)")] : [element];
}

/** Show the photo of an element at full size; of several pictures first the one with this index. */
export async function viewPhoto(app, element, index = pictureIndex(element)) {
  try {
    const { openLightbox } = await import("./lightbox.js");
    if (element.isConnected && !document.querySelector("dialog[open]")) openLightbox(app, element, index);
  } catch {
    app.toasts.show(t("The viewer did not load. Check your connection, then try again."));
  }
}

/** Return a button that shows the photo of an element, which `element()` returns, at full size. */
export function viewButton(app, element) {
  return h("button.view-button", { type: "button", "aria-label": t("View at full size"), onclick: () => viewPhoto(app, element()) }, icon("expand"));
}

/** Return the keys of ordinary pages. They act on the photo that has the focus, or on that of the photo's own page. */
export function photoShortcuts(app) {
  const withPhoto = (action) => () => {
    const element = document.activeElement?.closest(".viewable") ?? document.querySelector("main .photo-page.viewable");
    if (element) action(element);
  };
  const click = (selector) => withPhoto((element) => element.querySelector(selector)?.click());
  return [
    ["z", t("View the photo at full size"), withPhoto((element) => viewPhoto(app, element))],
    ["l", t("Like the photo, or take the like back"), click(".card-actions .like")],
    ["c", t("Comment on the photo"), withPhoto(showComments)],
    ["s", t("Save the photo, or remove it from the saved ones"), click(".card-actions .save")],
  ];
}

function showComments(element) {
  const field = element.querySelector(".comment-form textarea");
  if (field) field.focus();
  else element.querySelector(".card-actions a.action")?.click();
}

/** Return which picture of several an element shows. */
function pictureIndex(element) {
  return Math.max(0, [...element.querySelectorAll(".dot")].findIndex((dot) => dot.getAttribute("aria-current") === "true"));
}
