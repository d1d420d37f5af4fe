/** The size of a picture that fills a window, and the image that suits it. */

import { pictureOf } from "./carousel.js";
import { picture, wholeImages } from "../elements/picture.js";
import { isCovered } from "./sensitive.js";

/** In CSS pixels: a picture with fewer is enlarged to it, so that it can be recognized. */
const SMALLEST = 320;
/** A picture can be enlarged at least this much, also where it has no more pixels to show. */
const LEAST_ZOOM = 2;

/** Return one picture of a photo, which may have several, with the fields of a photo. */
export function onePicture(photo, index) {
  return photo.items ? pictureOf(photo, index) : photo;
}

/** Return the shape of a picture, its width divided by its height. */
export function shapeOf({ width, height }) {
  return width / height || 1;
}

/**
 * Return `{width, height, most}`: the size in CSS pixels at which a picture is shown whole in an element, and how many
 * times it can be enlarged, to one pixel of its best image for each CSS pixel. A video has controls of its own.
 */
export function fullSize(shown, { clientWidth, clientHeight }) {
  const shape = shapeOf(shown);
  const best = Math.max(0, ...wholeImages(shown).map((image) => image.width)) || shown.width;
  const width = Math.max(1, Math.round(Math.min(clientWidth, clientHeight * shape, Math.max(best, SMALLEST))));
  return { width, height: width / shape, most: shown.video ? 1 : Math.max(LEAST_ZOOM, best / width) };
}

/** Load the image of a picture that is likely to be shown next, unless it is covered or the user saves data. */
export function loadAhead(shown, element) {
  if (isCovered(shown) || navigator.connection?.saveData) return;
  picture(shown, { width: `${fullSize(shown, element).width}px`, loading: "eager", fetchpriority: "low", alt: "" });
}
