/** The image of a photo: a frame of the right shape at once, with its blurred placeholder, then the image. */

import { fill, h, icon } from "../elements/dom.js";
import { addMotion } from "../elements/motion.js";
import { picture } from "../elements/picture.js";
import { setAttribute } from "../elements/shown_texts.js";
import { cover, isCovered, smallCover } from "./sensitive.js";
import { t } from "../elements/texts.js";
import { thumbhashCanvas } from "../elements/thumbhash.js";
import { addVideo } from "./video.js";

/** The width of the column of photos, as `--column-width` in `tokens.css`. */
const COLUMN_WIDTH = "37.5rem";
/** In milliseconds, until an image that cannot be loaded is tried again. */
const RETRY_DELAY = 1000;
const PROCESSING = t("This photo is being processed.");
/** Taller or wider photos are shown in a frame of this shape, over their blurred placeholder. */
const MIN_RATIO = 3 / 4;
const MAX_RATIO = 2.4;
/** A crop does not load more than this many times its width: of a panorama most of it would not be seen. */
const MAX_CROP = 2;

/** Return the path of a photo's own page. */
export function photoPath(id) {
  return `/p/${encodeURIComponent(id)}`;
}

/** Return the alternative text of a photo, or of one of its pictures, which has a `place` such as "2 of 3". */
export function describe(photo) {
  if (photo.alt_text) return photo.alt_text;
  const text = described(photo);
  return photo.place ? t("{photo} ({place})", { photo: text, place: photo.place }) : text;
}

function described({ author, caption, video }) {
  if (caption) return video ? t("Video: {caption}", { caption }) : t("Photo: {caption}", { caption });
  const name = author.display_name || author.username;
  return video ? t("Video by {name}", { name }) : t("Photo by {name}", { name });
}

/** Return the shape of the frame in which a photo is shown, its width divided by its height. */
export function frameRatio(photo) {
  return Math.min(MAX_RATIO, Math.max(MIN_RATIO, ratioOf(photo)));
}

/**
 * Return a frame with a photo, for a feed or its own page; `ratio` is its shape, that of the photo by default.
 *
 * `width` is a CSS length: how wide it is, by default the column. `first` is for the photo that a visitor sees first. `refetch()` fetches the photo again if its image cannot be
 * loaded: the addresses of private photos expire after an hour, and a page may be open for longer. `uncovered()` is
 * called when the viewer has chosen to see a sensitive photo.
 */
export function photoFrame(photo, { first = false, refetch = null, ratio = frameRatio(photo), width: column = `min(100vw, ${COLUMN_WIDTH})`, uncovered = () => {} } = {}) {
  const frame = h("div.frame", { style: { "aspect-ratio": String(ratio) } });
  // A taller photo is as high as the frame.
  const width = scaled(column, Math.min(1, ratioOf(photo) / ratio));
  const show = () => {
    load(frame, photo, { width, first, refetch, offersRetry: true });
    addMotion(frame, photo, { refetch });
    addVideo(frame, photo, { label: describe(photo), refetch });
  };
  if (isCovered(photo)) covered(frame, photo, cover(photo, () => (show(), uncovered())));
  else show();
  return frame;
}

/** Return a frame of `side` CSS pixels, the photo cropped to it; `refetch` as for `photoFrame`. */
export function squareFrame(photo, side, { refetch = null } = {}) {
  const width = `${Math.ceil(side * Math.min(MAX_CROP, Math.max(1, ratioOf(photo))))}px`;
  const frame = h("div.frame.cover");
  if (isCovered(photo)) return covered(frame, photo, smallCover());
  return load(frame, photo, { width, first: false, refetch });
}

/** Renew the alternative text of a photo that was edited, inside its frame. */
export function describeFrame(frame, photo) {
  for (const image of frame.querySelectorAll("img:not(.motion)")) setAttribute(image, "alt", describe(photo));
  for (const video of frame.querySelectorAll("video")) setAttribute(video, "aria-label", describe(photo));
}

/** Return the counters that a publication carries, with their version. */
export function countersOf(data) {
  const fields = {};
  if (Number.isInteger(data.likes)) fields.likes = data.likes;
  if (Number.isInteger(data.comments)) fields.comments = data.comments;
  if (Number.isInteger(data.version)) fields.version = data.version;
  return fields;
}

function ratioOf(photo) {
  return photo.width / photo.height || 1;
}

function scaled(length, factor) {
  return factor === 1 ? length : `calc(${length} * ${factor.toFixed(3)})`;
}

/** Show the blurred placeholder alone: the image is not even fetched. */
function covered(frame, photo, over) {
  return fill(frame, thumbhashCanvas(photo.placeholder), over);
}

/** `offersRetry` puts a button into a frame whose image did not arrive; a frame that is part of a link has none. */
function load(frame, photo, { width, first, refetch, offersRetry = false }) {
  const placeholder = thumbhashCanvas(photo.placeholder);
  const attempt = (current, onError) => {
    const element = picture(current, { width, first, alt: describe(current) });
    const image = element?.querySelector("img");
    image?.addEventListener("load", () => frame.classList.add("loaded"));
    image?.addEventListener("error", () => onError(element), { once: true });
    if (image?.complete && image.naturalWidth > 0) frame.classList.add("loaded");
    return element;
  };
  const giveUp = (element) => {
    const shown = missing();
    const again = () => shown.isConnected && tryAgain(shown);
    element.replaceWith(shown);
    if (!refetch) return;
    addEventListener("online", again, { once: true });
    const clicked = (event) => {
      event.stopPropagation(); // a tap on the photo itself opens its page
      again();
    };
    if (offersRetry) shown.append(h("button.button.plain.compact", { type: "button", onclick: clicked }, "Try again"));
  };
  // An image that is being made, or a store that is away for a moment, may be there a second later.
  const tryAgain = async (element) => {
    const current = refetch ? await pause(RETRY_DELAY).then(refetch).catch(() => null) : null;
    const next = current && attempt(current, giveUp);
    if (next) element.replaceWith(next);
    else giveUp(element);
  };
  fill(frame, placeholder, attempt(photo, tryAgain) ?? missing(photo.state === "processing" ? PROCESSING : undefined));
  return frame;
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function missing(text = t("This photo cannot be shown right now.")) {
  return h("div.missing", {}, icon("image"), text);
}
