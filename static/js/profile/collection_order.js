/**
 * Arranging the photos of a collection: by dragging, by buttons at each photo, and by the arrow keys.
 *
 * A move is shown at once and sent as "behind this photo". Moves are sent one after the other. After an error the photos
 * are loaded again, in the order that the server has.
 */

import { fill, h, icon, visuallyHidden } from "../elements/dom.js";
import { lineDirection, t } from "../elements/texts.js";
import { describe } from "../photo/photo_image.js";

const KEYS = { ArrowUp: "earlier", ArrowDown: "later", Home: "first" };

export class CollectionOrder {
  #app;
  #path;
  #list = null;
  #active = false;
  /** The cell that is being dragged, and the place where it was. */
  #dragged = null;
  #origin = 0;
  #sent = Promise.resolve();
  /** Moves of before an error are not sent any more. */
  #generation = 0;
  #announcement = visuallyHidden("");
  #bar = h(
    "div.arrange-bar",
    { hidden: true },
    h("p.secondary.small", {}, t("Drag photos, or move them by their buttons.")),
    h("button.button.compact", { type: "button", onclick: () => this.stop() }, t("Done")),
  );
  element = h("div", {}, this.#bar, this.#announcement);

  /** `id` is that of the collection. */
  constructor(app, id) {
    this.#app = app;
    this.#path = `/collections/${id}/items`;
    this.#announcement.setAttribute("aria-live", "polite");
  }

  /** Set the list of photos, whose cells are those of `draw`. */
  attach(list) {
    this.#list = list;
    list.body.addEventListener("dragstart", (event) => this.#dragStarted(event));
    list.body.addEventListener("dragover", (event) => this.#draggedOver(event));
    list.body.addEventListener("drop", (event) => this.#dragged && event.preventDefault());
    list.body.addEventListener("dragend", (event) => this.#dragEnded(event));
  }

  /** Return the cell of a photo with the buttons that move it, from a cell of a grid. */
  draw(photo, cell) {
    const name = describe(photo);
    const tool = (move, iconName, label) => {
      const action = () => this.#move(element, move);
      return h("button.icon-button.small-icon", { type: "button", "aria-label": t("{action}: {name}", { action: label, name }), data: { move }, onclick: action }, icon(iconName));
    };
    const tools = h(
      "div.arrange-tools",
      { role: "group", "aria-label": name },
      tool("first", "up", t("Move to the front")),
      tool("earlier", "back", t("Move earlier")),
      tool("later", "forward", t("Move later")),
    );
    tools.addEventListener("keydown", (event) => {
      const across = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const move = across ? (across === lineDirection() ? "later" : "earlier") : KEYS[event.key];
      if (!move || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.#move(element, move);
    });
    const element = h("div.arranged", { data: { photo: photo.id } }, cell.element, tools);
    this.#show(element);
    return { ...cell, element };
  }

  start() {
    this.#set(true);
    this.#bar.querySelector("button").focus();
  }

  stop() {
    this.#set(false);
  }

  #placeOf(element) {
    return this.#list.ids.indexOf(element.dataset.photo);
  }

  #set(active) {
    this.#active = active;
    this.#bar.hidden = !active;
    this.#list.body.classList.toggle("arranging", active);
    for (const element of this.#list.body.querySelectorAll(".arranged")) this.#show(element);
  }

  /** While photos are arranged, a click on one does not open it. */
  #show(element) {
    element.draggable = this.#active;
    element.querySelector(".cell").inert = this.#active;
    element.querySelector(".arrange-tools").hidden = !this.#active;
  }

  #move(element, move) {
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    const place = this.#placeOf(element);
    const target = { first: 0, earlier: place - 1, later: place + 1 }[move];
    const { photo } = element.dataset;
    if (target === place || target < 0 || target >= this.#list.ids.length) {
      this.#announce(element);
      return;
    }
    this.#list.move(photo, target);
    // An element that is moved in the document loses the focus.
    focused?.focus({ preventScroll: true });
    this.#moved(element);
  }

  #moved(element) {
    this.#announce(element);
    element.scrollIntoView({ block: "nearest" });
    const generation = this.#generation;
    const { photo } = element.dataset;
    const after = this.#list.ids[this.#placeOf(element) - 1] ?? null;
    this.#sent = this.#sent.then(() => generation === this.#generation && this.#send(photo, after));
  }

  async #send(photo, after) {
    try {
      await this.#app.api.patch(`${this.#path}/${photo}`, { after });
    } catch (error) {
      this.#generation += 1;
      this.#app.toasts.error(error);
      await this.#list.reload().catch((failure) => this.#app.toasts.error(failure));
    }
  }

  #announce(element) {
    fill(this.#announcement, t("Place {place} of {count}", { place: this.#placeOf(element) + 1, count: this.#list.ids.length }));
  }

  #dragStarted(event) {
    const element = event.target.closest(".arranged");
    if (!this.#active || !element) return;
    this.#dragged = element;
    this.#origin = this.#placeOf(element);
    this.#list.hold(element.dataset.photo);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", element.dataset.photo);
    element.classList.add("dragged");
  }

  #draggedOver(event) {
    const dragged = this.#dragged;
    if (!dragged) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "move";
    const target = event.target.closest(".arranged");
    if (!target || target === dragged) return;
    const box = target.getBoundingClientRect();
    const leads = event.clientX < box.left + box.width / 2 === (lineDirection() === 1);
    const others = this.#list.ids.filter((id) => id !== dragged.dataset.photo);
    const place = others.indexOf(target.dataset.photo) + (leads ? 0 : 1);
    if (place !== this.#placeOf(dragged)) this.#list.move(dragged.dataset.photo, place);
  }

  #dragEnded(event) {
    const dragged = this.#dragged;
    if (!dragged) return;
    this.#dragged = null;
    dragged.classList.remove("dragged");
    this.#list.hold(null);
    if (this.#placeOf(dragged) === this.#origin) return;
    // Without a drop, as after Escape or outside, the photo returns.
    if (event.dataTransfer.dropEffect === "none") this.#list.move(dragged.dataset.photo, this.#origin);
    else this.#moved(dragged);
  }
}
