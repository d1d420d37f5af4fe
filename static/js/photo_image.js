/** The image of a photo: a frame of the right shape at once, with its blurred placeholder, then the image. */

import { fill, h, icon } from "./dom.js";
import { thumbhashCanvas } from "./thumbhash.js";

/** The longer side of the small variant is at most this, in pixels. */
const THUMB_SIDE = 320;
/** Taller or wider photos are shown in a frame of this shape, over their blurred placeholder. */
const MIN_RATIO = 3 / 4;
const MAX_RATIO = 2.4;

/** Return the path of a photo's own page. */
export function photoPath(id) {
  return `/p/${encodeURIComponent(id)}`;
}

/** Return the alternative text of a photo. */
export function describe(photo) {
  return photo.alt_text || (photo.caption ? `Photo: ${photo.caption}` : `Photo by ${photo.author.display_name || photo.author.username}`);
}

/** Return the address of the smallest variant that fills `side` CSS pixels when cropped to a square. */
export function squareUrl(photo, side, density = devicePixelRatio) {
  const scale = Math.min(1, THUMB_SIDE / Math.max(photo.width, photo.height));
  const shorter = Math.min(photo.width, photo.height) * scale;
  return shorter >= side * density * 0.7 ? photo.urls.thumb : photo.urls.feed;
}

/**
 * Return a frame with a photo in its own shape, for a feed or its own page.
 *
 * `refetch()` fetches the photo again if its image cannot be loaded: the addresses of private photos expire after an
 * hour, and a page may be open for longer.
 */
export function photoFrame(photo, { eager = false, refetch = null } = {}) {
  const ratio = photo.width / photo.height || 1;
  const frame = h("div.frame", { style: { "aspect-ratio": String(Math.min(MAX_RATIO, Math.max(MIN_RATIO, ratio))) } });
  return load(frame, photo, { pick: ({ urls }) => urls?.feed, eager, refetch });
}

/** Return a frame that fills its container, the photo cropped to it; `refetch` as for `photoFrame`. */
export function squareFrame(photo, side, { refetch = null } = {}) {
  const pick = (current) => current.urls?.feed && squareUrl(current, side);
  return load(h("div.frame.cover"), photo, { pick, eager: false, refetch });
}

/** Return the counters that a publication carries, with their version. */
export function countersOf(data) {
  const fields = {};
  if (Number.isInteger(data.likes)) fields.likes = data.likes;
  if (Number.isInteger(data.comments)) fields.comments = data.comments;
  if (Number.isInteger(data.version)) fields.version = data.version;
  return fields;
}

function load(frame, photo, { pick, eager, refetch }) {
  const url = pick(photo);
  const placeholder = thumbhashCanvas(photo.placeholder);
  if (!url) {
    fill(frame, placeholder, missing(photo.state === "processing" ? "This photo is being processed." : undefined));
    return frame;
  }
  const image = h("img", {
    alt: describe(photo),
    width: photo.width,
    height: photo.height,
    loading: eager ? "eager" : "lazy",
    decoding: "async",
    draggable: "false",
  });
  image.addEventListener("load", () => frame.classList.add("loaded"));
  let refetched = false;
  image.addEventListener("error", async () => {
    const current = refetch && !refetched ? await refetch().catch(() => null) : null;
    refetched = true;
    if (current && pick(current)) image.src = pick(current);
    else image.replaceWith(missing());
  });
  image.src = url;
  if (image.complete && image.naturalWidth > 0) frame.classList.add("loaded");
  fill(frame, placeholder, image);
  return frame;
}

function missing(text = "This photo cannot be shown right now.") {
  return h("div.missing", {}, icon("image"), text);
}
