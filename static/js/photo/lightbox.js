/** Photos at full size over the page: enlarged, moved, turned by swipes and keys, liked and saved. */

import { photoFetcher } from "./card.js";
import { fill, h, icon, visuallyHidden } from "../elements/dom.js";
import { fullSize, loadAhead, onePicture, shapeOf } from "./full_size.js";
import { count, Like, likeButton } from "./like.js";
import { describe, photoFrame, photoPath } from "./photo_image.js";
import { applyFields } from "./photo_pictures.js";
import { viewableList, viewedPhoto } from "./photo_viewer.js";
import { sizesOf } from "../elements/picture.js";
import { fetchSaved, saveButton } from "./saving.js";
import { isCovered } from "./sensitive.js";
import { shortcutsDialog } from "../elements/shortcuts.js";
import { isLeftward, lineDirection, t } from "../elements/texts.js";
import { nameLink } from "../users/user.js";
import { VisiblePhotos } from "./visible_photos.js";
import { Zoom } from "./zoom.js";

/** What a key changes the scale by. */
const STEP = 1.5;
/** The part of the stage by which a key moves an enlarged picture. */
const PAN = 0.25;

/** Show the photo of an element, and those of the list that has it. */
export function openLightbox(app, element, index) {
  new Lightbox(app).open(element, index);
}

class Lightbox {
  #app;
  #element = null;
  #photo = null;
  #index = 0;
  #shown = null;
  #stops = [];
  #visible;
  #uncover = null;
  #stage = h("div.lightbox-stage");
  #zoom = new Zoom(this.#stage, {
    changed: () => this.#zoomed(),
    swiped: (step) => this.#step(step),
    pulled: () => this.#close(),
    beside: () => this.#close(),
  });
  #author = h("span.lightbox-author", { onclick: (event) => this.#followed(event) });
  #position = h("span.lightbox-position");
  #status = h("span.visually-hidden", { role: "status" });
  #text = h("p.lightbox-text");
  #actions = h("div.lightbox-actions");
  #previous = this.#button(t("Previous picture"), "back", () => this.#step(-1), "lightbox-arrow");
  #next = this.#button(t("Next picture"), "forward", () => this.#step(1), "lightbox-arrow");
  #zoomButton = this.#button(t("Enlarge"), "zoom", () => this.#zoom.toggle());
  #resized = new ResizeObserver(() => this.#fit());
  #dialog;

  constructor(app) {
    this.#app = app;
    this.#visible = new VisiblePhotos(app);
    const keys = h("button.icon-button.lightbox-keys", { type: "button", "aria-label": t("Keyboard shortcuts"), onclick: () => this.#showKeys() }, "?");
    const close = this.#button(t("Close"), "close", () => this.#close());
    close.autofocus = true;
    this.#dialog = h(
      "dialog.lightbox",
      { "aria-label": t("Photo at full size") },
      h("div.lightbox-head", {}, this.#author, this.#position, this.#zoomButton, keys, close),
      this.#stage,
      this.#previous,
      this.#next,
      h("div.lightbox-foot", {}, this.#text, this.#actions),
      this.#status,
    );
    this.#dialog.addEventListener("keydown", (event) => this.#pressed(event));
    this.#dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#close();
    });
    this.#dialog.addEventListener("close", () => this.#close());
  }

  open(element, index) {
    for (const player of document.querySelectorAll("video")) player.pause();
    document.body.append(this.#dialog);
    // What is said while the dialog is open has to lie over it.
    this.#dialog.append(this.#app.toasts.element);
    this.#dialog.showModal();
    this.#uncover = this.#app.router.cover(() => this.#closed());
    this.#show(element, index);
    this.#resized.observe(this.#stage);
  }

  #button(label, iconName, action, className = "icon-button") {
    return h(`button.${className}`, { type: "button", "aria-label": label, onclick: action }, icon(iconName));
  }

  /** Close it as the user wishes; the history loses its entry. */
  #close() {
    this.#uncover?.();
  }

  #closed() {
    if (!this.#uncover) return;
    this.#uncover = null;
    this.#resized.disconnect();
    this.#leavePhoto();
    this.#visible.leave();
    this.#app.root.append(this.#app.toasts.element);
    this.#dialog.close();
    this.#dialog.remove();
    const button = this.#element.querySelector(".view-button");
    (this.#element.matches("a") ? this.#element : button)?.focus();
  }

  #show(element, index) {
    const app = this.#app;
    this.#leavePhoto();
    this.#element = element;
    const photo = (this.#photo = viewedPhoto(element));
    // The list below loads its next page, and is at this place when the dialog closes.
    if (viewableList(element).length > 1) element.scrollIntoView({ block: "nearest", behavior: "instant" });
    const likes = likeButton(photo, new Like(app, photo));
    const save = app.session.id && saveButton(app, photo);
    const comments = h("button.action", { type: "button", onclick: () => this.#comment() });
    const showComments = () => fill(comments, icon("comment"), visuallyHidden(t("Comments"), ", "), h("span", {}, count(photo.comments)));
    showComments();
    fill(this.#author, nameLink(photo.author));
    fill(this.#actions, likes.button, comments, save && save.button);
    this.#stops = [
      app.photos.watch(photo.id, (fields, removed) => {
        if (removed) return this.#gone();
        applyFields(photo, fields);
        likes.update();
        save?.update();
        showComments();
        if ("edited_at" in fields) this.#draw(this.#index);
      }),
      app.accounts.watch((userId) => userId === photo.author.id && this.#gone()),
    ];
    this.#visible.add(this.#actions, photo.id);
    fetchSaved(app, [photo]);
    this.#draw(index);
  }

  #leavePhoto() {
    for (const stop of this.#stops) stop();
    if (this.#stops.length > 0) this.#visible.remove(this.#actions);
    this.#stops = [];
  }

  /** Show another photo in place of one that was removed, or close. */
  #gone() {
    const [element, index] = this.#place(1) ?? this.#place(-1) ?? [];
    if (!element || element === this.#element) this.#close();
    else this.#show(element, index);
  }

  /** Draw the picture with this index. */
  #draw(index) {
    const photo = this.#photo;
    const { length } = photo.items ?? [photo];
    this.#index = Math.min(index, length - 1);
    this.#shown = onePicture(photo, this.#index);
    fill(this.#position, length > 1 && t("{place} of {count}", { place: this.#index + 1, count: length }));
    this.#describe();
    // Not `disabled`: the button that has the focus would lose it at the end.
    this.#previous.setAttribute("aria-disabled", String(!this.#place(-1)));
    this.#next.setAttribute("aria-disabled", String(!this.#place(1)));
    const { width } = fullSize(this.#shown, this.#stage);
    const frame = photoFrame(this.#shown, { first: true, ratio: shapeOf(this.#shown), width: `${width}px`, refetch: () => this.#refetch(), uncovered: () => this.#describe() });
    fill(this.#stage, frame);
    this.#fit();
    const following = this.#place(1);
    if (following) loadAhead(onePicture(viewedPhoto(following[0]), following[1]), this.#stage);
  }

  #describe() {
    const covered = isCovered(this.#shown);
    fill(this.#text, !covered && this.#shown.alt_text);
    fill(this.#status, covered ? t("Sensitive content") : describe(this.#shown));
  }

  async #refetch() {
    const [photo, index] = [this.#photo, this.#index];
    return onePicture(await photoFetcher(this.#app, photo)(), index);
  }

  /** Return the element and the index of the picture that is `step` further, or null at the end. */
  #place(step) {
    const { items } = this.#photo;
    const index = this.#index + step;
    if (items && index >= 0 && index < items.length) return [this.#element, index];
    const list = viewableList(this.#element);
    const at = list.indexOf(this.#element);
    const element = at < 0 ? list[0] : list[at + step];
    if (!element) return null;
    return [element, step > 0 ? 0 : (viewedPhoto(element).items?.length ?? 1) - 1];
  }

  #step(step) {
    const place = this.#place(step);
    if (!place) return;
    const [element, index] = place;
    if (element === this.#element) this.#draw(index);
    else this.#show(element, index);
    this.#stage.firstElementChild.classList.add(step > 0 ? "from-end" : "from-start");
  }

  #fit() {
    const frame = this.#stage.firstElementChild;
    if (!frame) return;
    const { width, height, most } = fullSize(this.#shown, this.#stage);
    frame.style.inlineSize = `${width}px`;
    this.#zoom.show(frame, { width, height }, most);
    this.#zoomButton.hidden = most === 1;
    this.#zoomed();
  }

  /** Have the browser choose an image with enough pixels for the scale. */
  #zoomed() {
    const enlarged = this.#zoom.scale > 1;
    this.#zoomButton.setAttribute("aria-pressed", String(enlarged));
    this.#dialog.classList.toggle("enlarged", enlarged);
    const sizes = sizesOf(`${Math.ceil(fullSize(this.#shown, this.#stage).width * this.#zoom.scale)}px`);
    for (const each of this.#stage.querySelectorAll("source, img[sizes]")) each.sizes = sizes;
  }

  /** Close it for a link to the page below, which the router does not show again. */
  #followed({ target }) {
    if (target.closest("a")?.pathname === location.pathname) this.#close();
  }

  #comment() {
    const { id } = this.#photo;
    const path = photoPath(id);
    if (location.pathname === path) {
      const field = this.#element.querySelector(".comment-form textarea");
      this.#close();
      field?.focus();
    } else {
      this.#app.router.go(path);
    }
  }

  #keys() {
    const click = (name) => () => this.#actions.querySelector(name)?.click();
    return [
      ["ArrowLeft", isLeftward() ? t("Next picture") : t("Previous picture"), () => this.#step(-lineDirection()), "←"],
      ["ArrowRight", isLeftward() ? t("Previous picture") : t("Next picture"), () => this.#step(lineDirection()), "→"],
      ["+", t("Enlarge"), () => this.#zoom.by(STEP)],
      ["-", t("Reduce"), () => this.#zoom.by(1 / STEP)],
      ["0", t("Show the whole picture"), () => this.#zoom.reset()],
      ["Shift+Arrow", t("Move the enlarged picture"), () => {}, "Shift ← ↑ → ↓"],
      ["l", t("Like the photo, or take the like back"), click(".like")],
      ["c", t("Comments"), () => this.#comment()],
      ["s", t("Save the photo, or remove it from the saved ones"), click(".save")],
      ["Escape", t("Close"), () => this.#close(), "Esc"],
    ];
  }

  #showKeys() {
    shortcutsDialog(this.#keys().map(([key, label, action, name]) => [name ?? key, label, action]));
  }

  #pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    // A player has keys of its own, and Escape is that of the dialog.
    if (event.target.closest("video") || event.key === "Escape") return;
    const directions = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const direction = event.shiftKey && directions[event.key];
    const action = this.#keys().find(([key]) => key === (event.key === "=" ? "+" : event.key))?.[2];
    if (direction) this.#zoom.pan(direction[0] * PAN * this.#stage.clientWidth, direction[1] * PAN * this.#stage.clientHeight);
    else if (event.key === "?") this.#showKeys();
    else if (action) action();
    else return;
    event.preventDefault();
  }
}
