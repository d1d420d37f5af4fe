/**
 * The metadata of a JPEG file, as bytes: turned without loss by its EXIF orientation, or copied to a picture that was made from it.
 *
 * The server reads the date, the camera, the texts and the rights of a photo from them, and decides what of it is shown.
 */

const SOI = 0xffd8;
const APP1 = 0xffe1;
const APP13 = 0xffed;
const SOS = 0xffda;
const ORIENTATION = 0x0112;
/** The orientation after a quarter turn clockwise; those in the second circle are mirrored. */
const CLOCKWISE = { 1: 6, 6: 3, 3: 8, 8: 1, 2: 7, 7: 4, 4: 5, 5: 2 };

/** Return the bytes of a JPEG file turned by quarters clockwise, without a change of its pixels; null where that is not possible. */
export function turnedJpeg(buffer, quarters) {
  const segments = segmentsOf(buffer);
  if (!segments) return null;
  const exif = segments.find(isExif);
  if (!exif) return joined(buffer, [orientationSegment(turned(1, quarters)), buffer.slice(2)]);
  const copy = buffer.slice(0);
  const field = orientationField(new DataView(copy), exif);
  // A file with EXIF but without this field has no room for it.
  if (!field) return null;
  field.set(turned(field.value, quarters));
  return [copy];
}

/** Return a JPEG file with the metadata of another one, from which it was made: upright, and without the small picture in them. */
export function withMetadataOf(original, made) {
  const segments = (segmentsOf(original) ?? []).filter((segment) => [APP1, APP13].includes(segment.marker));
  const copies = segments.map((segment) => {
    const copy = original.slice(segment.start, segment.end);
    if (isExif(segment)) makeUpright(new DataView(copy));
    return copy;
  });
  return joined(made, [...copies, made.slice(2)]);
}

function joined(buffer, parts) {
  return [buffer.slice(0, 2), ...parts];
}

/** Return the segments {marker, start, end, view} before the pixels; null if the file is no JPEG. */
export function segmentsOf(buffer) {
  const view = new DataView(buffer);
  if (view.byteLength < 4 || view.getUint16(0) !== SOI) return null;
  const segments = [];
  let start = 2;
  while (start + 4 <= view.byteLength) {
    const marker = view.getUint16(start);
    if (marker === SOS || marker >> 8 !== 0xff) break;
    const end = start + 2 + view.getUint16(start + 2);
    if (end > view.byteLength) break;
    segments.push({ marker, start, end, view });
    start = end;
  }
  return segments;
}

export function isExif({ marker, start, end, view }) {
  return marker === APP1 && end - start >= 18 && view.getUint32(start + 4) === 0x45786966; // "Exif"
}

/** Return the first directory of EXIF as {entries, next}, the offsets of its entries and of the link to the second; null if it is damaged. */
export function directory(view, { start, end }) {
  const tiff = start + 10;
  const little = view.getUint16(tiff) === 0x4949;
  const first = tiff + view.getUint32(tiff + 4, little);
  if (first + 2 > end) return null;
  const count = view.getUint16(first, little);
  const next = first + 2 + 12 * count;
  if (next + 4 > end) return null;
  return { entries: Array.from({ length: count }, (_, index) => first + 2 + 12 * index), next, little };
}

function orientationField(view, segment) {
  const found = directory(view, segment);
  const entry = found?.entries.find((offset) => view.getUint16(offset, found.little) === ORIENTATION);
  if (entry === undefined) return null;
  const value = view.getUint16(entry + 8, found.little);
  return { value: value in CLOCKWISE ? value : 1, set: (changed) => view.setUint16(entry + 8, changed, found.little) };
}

function makeUpright(view) {
  const segment = { start: 0, end: view.byteLength };
  orientationField(view, segment)?.set(1);
  // The second directory has a small picture of the whole original, also of what was cut off.
  const found = directory(view, segment);
  if (found) view.setUint32(found.next, 0);
}

function turned(orientation, quarters) {
  return Array.from({ length: quarters }).reduce((value) => CLOCKWISE[value], orientation);
}

function orientationSegment(orientation) {
  const text = [0x45, 0x78, 0x69, 0x66, 0, 0];
  const tiff = [0x4d, 0x4d, 0, 0x2a, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  return new Uint8Array([0xff, 0xe1, 0, 2 + text.length + tiff.length, ...text, ...tiff]);
}
