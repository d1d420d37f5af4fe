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
  #dragged = null;
  /** Where the dragged photo was: the photo that followed it. */
  #origin = null;
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

  get #cells() {
    return [...this.#list.body.querySelectorAll(".arranged")];
  }

  #set(active) {
    this.#active = active;
    this.#bar.hidden = !active;
    this.#list.body.classList.toggle("arranging", active);
    // A photo can be moved to any place that was loaded.
    this.#list.whole = active;
    for (const element of this.#cells) this.#show(element);
  }

  /** While photos are arranged, a click on one does not open it. */
  #show(element) {
    element.draggable = this.#active;
    element.querySelector(".cell").inert = this.#active;
    element.querySelector(".arrange-tools").hidden = !this.#active;
  }

  #move(element, move) {
    const { body } = this.#list;
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    const before = { first: body.firstElementChild, earlier: element.previousElementSibling, later: element.nextElementSibling?.nextElementSibling ?? null }[move];
    const nowhere = move === "later" ? !element.nextElementSibling : before === null || before === element;
    if (!nowhere) {
      body.insertBefore(element, before);
      this.#moved(element);
    } else {
      this.#announce(element);
    }
    // An element that is moved in the document loses the focus.
    focused?.focus();
  }

  #moved(element) {
    this.#announce(element);
    element.scrollIntoView({ block: "nearest" });
    const generation = this.#generation;
    const { photo } = element.dataset;
    const after = element.previousElementSibling?.dataset.photo ?? null;
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
    const cells = this.#cells;
    fill(this.#announcement, t("Place {place} of {count}", { place: cells.indexOf(element) + 1, count: cells.length }));
  }

  #dragStarted(event) {
    const element = event.target.closest(".arranged");
    if (!this.#active || !element) return;
    this.#dragged = element;
    this.#origin = element.nextElementSibling;
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
    this.#list.body.insertBefore(dragged, leads ? target : target.nextElementSibling);
  }

  #dragEnded(event) {
    const dragged = this.#dragged;
    if (!dragged) return;
    this.#dragged = null;
    dragged.classList.remove("dragged");
    const isBack = dragged.nextElementSibling === this.#origin;
    // Without a drop, as after Escape or outside, the photo returns.
    if (event.dataTransfer.dropEffect === "none") this.#list.body.insertBefore(dragged, this.#origin);
    else if (!isBack) this.#moved(dragged);
  }
}
