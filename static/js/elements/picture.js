/** The <picture> of a photo: the browser chooses a format that it knows, and the size that suffices. */

import { h } from "./dom.js";

/** More than two pixels for each CSS pixel cannot be distinguished on a photo, and cost more than they show. Also in server/edge/first_view.py. */
const DENSITIES = [[4, 0.5], [3, 0.667], [2.5, 0.8]];
/** Formats that the page offers before JPEG. AVIF is made on request only: every first visitor would have to wait. */
const FORMATS = [["webp", "image/webp"]];
/** Only JPEGs have the gain map of a photo with a high dynamic range, so screens that can show it get these. */
const STANDARD_RANGE = "not all and (dynamic-range: high)";

/**
 * Return a <picture> with an <img> in it, or null if the photo has no images.
 *
 * `width` is a CSS length: how wide the whole image is shown, with what a crop hides. `first` is for the image that a
 * visitor sees first. The other properties are those of the image.
 */
export function picture(photo, { width, first = false, ...properties }) {
  const fallback = photo.urls?.feed;
  if (!fallback) return null;
  const images = wholeImages(photo);
  const sizes = sizesOf(width);
  const sources = images.length > 0 ? FORMATS.filter(([format]) => images.every((image) => image[format])) : [];
  return h(
    "picture",
    {},
    sources.map(([format, type]) => h("source", { type, sizes, media: photo.images.hdr ? STANDARD_RANGE : null, srcset: sourceSet(images, format) })),
    // The order matters: an image is fetched as soon as it has an address.
    h("img", {
      width: photo.width,
      height: photo.height,
      loading: first ? "eager" : "lazy",
      fetchpriority: first ? "high" : null,
      // The first one is there already where the server has written it into the page.
      decoding: first ? "sync" : "async",
      draggable: "false",
      ...properties,
      sizes: images.length > 0 ? sizes : null,
      srcset: images.length > 0 ? sourceSet(images, "jpg") : null,
      src: fallback,
    }),
  );
}

/** Return the value of `sizes` for an image that is shown `width` wide, a CSS length, on a screen of any density. */
export function sizesOf(width) {
  return [...DENSITIES.map(([density, factor]) => `(min-resolution: ${density}dppx) calc(${width} * ${factor})`), width].join(", ");
}

/** Return the images that show the whole photo: not the square crops of one that is no square. */
export function wholeImages({ images, width, height }) {
  const isCrop = (image) => image.width === image.height && width !== height;
  return (images?.sizes ?? []).filter((image) => !isCrop(image));
}

function sourceSet(images, format) {
  return images.map((image) => `${image[format]} ${image.width}w`).join(", ");
}
