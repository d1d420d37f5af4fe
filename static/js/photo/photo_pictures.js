/** What a photo shows, one picture or several, kept up to date when its author edits it. */

import { carousel, pictureOf } from "./carousel.js";
import { describeFrame, photoFrame } from "./photo_image.js";

/** The fields of a photo that are those of its first picture. */
const FIRST = ["alt_text", "width", "height", "placeholder", "images", "urls"];

export class PhotoPictures {
  #options;
  #prepare;
  #shown;
  element;

  /** Options as for `photoFrame`; `prepare(element)` is called for each element that shows the photo. */
  constructor(photo, { prepare, ...options }) {
    this.#prepare = prepare;
    this.#options = options;
    this.#draw(photo);
  }

  /** Show a photo after it was edited: draw it again if it has other pictures, or only renew their texts. */
  update(photo) {
    const before = this.element;
    if (hashes(photo) !== this.#shown) {
      this.#draw(photo);
      before.replaceWith(this.element);
    } else if (photo.items) {
      this.element.querySelectorAll(".frame").forEach((frame, index) => describeFrame(frame, pictureOf(photo, index)));
    } else {
      describeFrame(this.element, photo);
    }
  }

  #draw(photo) {
    this.#shown = hashes(photo);
    this.element = photo.items ? carousel(photo, this.#options) : photoFrame(photo, this.#options);
    this.#prepare(this.element);
  }
}

/**
 * Apply changed fields to a photo, also its pictures: an edit may change their order and their texts, and remove some.
 *
 * A publication names the pictures that are left by `sha256` alone; the photo has the rest.
 */
export function applyFields(photo, { items, ...fields }) {
  Object.assign(photo, fields);
  if (!items || !photo.items) return;
  const known = new Map(photo.items.map((item) => [item.sha256, item]));
  const left = items.filter(({ sha256 }) => known.has(sha256)).map((item) => ({ ...known.get(item.sha256), alt_text: item.alt_text }));
  if (left.length === 0) return;
  for (const name of FIRST) photo[name] = left[0][name];
  photo.items = left.length > 1 ? left : undefined;
}

/** Return the pictures of a photo or a publication as `{sha256, alt_text}`; null if it does not say which they are. */
export function itemsOf(data) {
  if (data.items) return data.items.map(({ sha256, alt_text }) => ({ sha256, alt_text }));
  const [sha256] = /[0-9a-f]{64}/.exec(data.urls?.feed ?? "") ?? [];
  return sha256 ? [{ sha256, alt_text: data.alt_text }] : null;
}

function hashes(photo) {
  return [Boolean(photo.sensitive), ...(photo.items ?? []).map(({ sha256 }) => sha256)].join();
}
