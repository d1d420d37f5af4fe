/**
 * What can be changed in a picture before it is uploaded: `{turns, crop}`, quarter turns clockwise, and then the part that is
 * kept, {left, top, right, bottom} as parts of its sides.
 */

import { t } from "../elements/texts.js";
import { turnedJpeg, withMetadataOf } from "./jpeg_metadata.js";

export const WHOLE = { left: 0, top: 0, right: 1, bottom: 1 };
export const UNCHANGED = { turns: 0, crop: WHOLE };
/** The smallest part of a side that can be kept. */
export const LEAST = 0.05;
/** Of JPEG and WebP. */
const QUALITY = 0.95;
/** Formats that browsers can write; others become the first of these that has what they have. */
const WRITTEN = { "image/jpeg": "image/jpeg", "image/png": "image/png", "image/webp": "image/webp", "image/avif": "image/webp" };

/** Return whether a file can be changed here: not a video or an animation, of which only the first frame would be left. */
export async function canEdit(file) {
  if (!(file.type in WRITTEN)) return false;
  const head = new Uint8Array(await file.slice(0, 4096).arrayBuffer());
  const text = String.fromCharCode(...head);
  return !(file.type === "image/png" && text.includes("acTL")) && !(file.type === "image/webp" && text.slice(0, 64).includes("ANIM"));
}

/** Return whether two crops are the same. */
export function sameCrop(one, other) {
  return Object.keys(WHOLE).every((side) => one[side] === other[side]);
}

/** Return the crop of a picture after a quarter turn clockwise. */
export function turnedCrop({ left, top, right, bottom }) {
  return { left: 1 - bottom, top: left, right: 1 - top, bottom: right };
}

/** Return the largest square in the middle, of a picture of this shape. */
export function squareCrop(width, height) {
  const side = Math.min(width, height);
  const [x, y] = [(1 - side / width) / 2, (1 - side / height) / 2];
  return { left: x, top: y, right: 1 - x, bottom: 1 - y };
}

/** Move some sides of a crop by a part of the picture; the crop stays within it. With all sides its size stays, too. */
export function movedCrop(crop, sides, x, y) {
  const moved = { ...crop };
  const limit = (value, least, most) => Math.min(most, Math.max(least, value));
  if (sides.length === 4) {
    const dx = limit(x, -crop.left, 1 - crop.right);
    const dy = limit(y, -crop.top, 1 - crop.bottom);
    return { left: crop.left + dx, right: crop.right + dx, top: crop.top + dy, bottom: crop.bottom + dy };
  }
  if (sides.includes("left")) moved.left = limit(crop.left + x, 0, crop.right - LEAST);
  if (sides.includes("right")) moved.right = limit(crop.right + x, crop.left + LEAST, 1);
  if (sides.includes("top")) moved.top = limit(crop.top + y, 0, crop.bottom - LEAST);
  if (sides.includes("bottom")) moved.bottom = limit(crop.bottom + y, crop.top + LEAST, 1);
  return moved;
}

/** Draw a picture, an upright bitmap, with its turns and without the crop onto a canvas, at most `most` pixels wide and high. */
export function drawTurned(canvas, bitmap, turns, most = Infinity) {
  const isAside = turns % 2 === 1;
  const [width, height] = isAside ? [bitmap.height, bitmap.width] : [bitmap.width, bitmap.height];
  const scale = Math.min(1, most / Math.max(width, height));
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d", { colorSpace: "display-p3" });
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate((turns * Math.PI) / 2);
  context.drawImage(bitmap, (-bitmap.width * scale) / 2, (-bitmap.height * scale) / 2, bitmap.width * scale, bitmap.height * scale);
}

/**
 * Return a file with the changes.
 *
 * A JPEG that is only turned keeps its pixels: its orientation is changed. Everything else is drawn at full size and written in the type
 * of the original, a JPEG with the metadata of the original. Throws an Error if the browser cannot do that.
 */
export async function editedFile(file, bitmap, { turns, crop }) {
  const isWhole = sameCrop(crop, WHOLE);
  if (isWhole && turns === 0) return file;
  const buffer = file.type === "image/jpeg" ? await file.arrayBuffer() : null;
  const turnedParts = buffer && isWhole && turnedJpeg(buffer, turns);
  if (turnedParts) return new File(turnedParts, file.name, { type: file.type, lastModified: file.lastModified });
  const blob = await written(cropped(bitmap, { turns, crop }), WRITTEN[file.type]);
  const parts = buffer && blob.type === "image/jpeg" ? withMetadataOf(buffer, await blob.arrayBuffer()) : [blob];
  return new File(parts, file.name, { type: blob.type, lastModified: file.lastModified });
}

function cropped(bitmap, { turns, crop }) {
  const whole = document.createElement("canvas");
  drawTurned(whole, bitmap, turns);
  const [x, y] = [Math.round(crop.left * whole.width), Math.round(crop.top * whole.height)];
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(crop.right * whole.width) - x);
  canvas.height = Math.max(1, Math.round(crop.bottom * whole.height) - y);
  canvas.getContext("2d", { colorSpace: "display-p3" }).drawImage(whole, -x, -y);
  return canvas;
}

function written(canvas, type) {
  return new Promise((resolve, reject) => {
    const done = (blob) => (blob ? resolve(blob) : reject(new Error(String(t("This picture is too large for this browser to change. It can be shared as it is.")))));
    canvas.toBlob(done, type, QUALITY);
  });
}
