/** The pictures of a photo that has several, side by side: swiped, or turned by buttons, dots and arrow keys. */

import { fill, h, icon } from "../elements/dom.js";
import { setAttribute } from "../elements/shown_texts.js";
import { frameRatio, photoFrame } from "./photo_image.js";
import { lineDirection, t, tn } from "../elements/texts.js";

/** Return a picture of a photo with the fields that a photo with one picture has. */
export function pictureOf(photo, index) {
  return { ...photo, ...photo.items[index], items: null, place: t("{place} of {count}", { place: index + 1, count: photo.items.length }) };
}

/**
 * Return the pictures of a photo in frames of one shape, that of the first one; options as for `photoFrame`.
 *
 * Its size depends on the photo alone, so nothing moves while pictures are loaded or turned.
 */
export function carousel(photo, { first = false, refetch = null } = {}) {
  return new Carousel(photo, first, refetch).element;
}

class Carousel {
  #count;
  #current = 0;
  /** The picture that is being scrolled to, or null: a second step in the meantime goes on from there. */
  #target = null;
  #slides;
  #position = h("span.carousel-position", { role: "status" });
  #previous = arrow(t("Previous picture"), "back", () => this.#step(-1));
  #next = arrow(t("Next picture"), "forward", () => this.#step(1));
  #dots;

  constructor(photo, first, refetch) {
    this.#count = photo.items.length;
    const ratio = frameRatio(pictureOf(photo, 0));
    const frames = photo.items.map((_, index) => slide(photo, index, { first: first && index === 0, refetch, ratio }));
    this.#slides = h("div.slides", { tabindex: "0", role: "group", "aria-label": t("Pictures") }, frames);
    this.#dots = photo.items.map((_, index) => h("button.dot", { type: "button", "aria-label": t("Picture {place} of {count}", { place: index + 1, count: this.#count }), onclick: () => this.#show(index) }));
    const controls = h("div.carousel-controls", {}, this.#previous, this.#next, h("div.carousel-dots", {}, this.#dots));
    // A tap on a control is none on the photo.
    controls.addEventListener("click", (event) => event.stopPropagation());
    this.element = h(
      "section.carousel",
      { "aria-roledescription": t("carousel"), "aria-label": tn("{count} picture", "{count} pictures", this.#count), style: { "aspect-ratio": String(ratio) } },
      this.#slides,
      controls,
      this.#position,
    );
    this.#slides.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    for (const kind of ["pointerdown", "wheel"]) this.#slides.addEventListener(kind, () => (this.#target = null), { passive: true });
    this.#slides.addEventListener("keydown", (event) => this.#pressed(event));
    this.#update();
  }

  #step(by) {
    this.#show((this.#target ?? this.#current) + by);
  }

  #show(index) {
    if (index < 0 || index >= this.#count) return;
    this.#target = index;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
    this.#slides.scrollTo({ left: lineDirection() * index * this.#slides.clientWidth, behavior });
  }

  #pressed(event) {
    const step = lineDirection() * ({ ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0);
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.#step(step);
  }

  #scrolled() {
    const index = Math.round(Math.abs(this.#slides.scrollLeft) / this.#slides.clientWidth);
    if (index === this.#current || !(index >= 0 && index < this.#count)) return;
    this.#current = index;
    if (index === this.#target) this.#target = null;
    this.#update();
  }

  #update() {
    fill(this.#position, t("{place} of {count}", { place: this.#current + 1, count: this.#count }));
    // Not `disabled`: the button that has the focus would lose it at the end.
    this.#previous.setAttribute("aria-disabled", String(this.#current === 0));
    this.#next.setAttribute("aria-disabled", String(this.#current === this.#count - 1));
    this.#dots.forEach((dot, index) => dot.setAttribute("aria-current", String(index === this.#current)));
  }
}

function slide(photo, index, { refetch, ...options }) {
  const { sha256 } = photo.items[index];
  const refetchPicture = async () => {
    const current = await refetch();
    const place = (current.items ?? []).findIndex((item) => item.sha256 === sha256);
    return place < 0 ? null : pictureOf(current, place);
  };
  const frame = photoFrame(pictureOf(photo, index), { ...options, refetch: refetch && refetchPicture });
  frame.setAttribute("role", "group");
  setAttribute(frame, "aria-roledescription", t("slide"));
  setAttribute(frame, "aria-label", t("{place} of {count}", { place: index + 1, count: photo.items.length }));
  return frame;
}

function arrow(label, iconName, action) {
  return h("button.carousel-arrow", { type: "button", "aria-label": label, onclick: action }, icon(iconName));
}
