/**
 * The description that a picture file brings along, which the form offers for people who cannot see the picture.
 *
 * As on the server, it comes from the first of XMP, IPTC and EXIF that has one. A damaged file has none.
 */

import { directory, isExif, segmentsOf } from "./jpeg_metadata.js";

/** Of a file so many bytes at its beginning are read, and at its end, where WebP has its texts. */
const HEAD = 1 << 19;
const TAIL = 1 << 17;
/** As the server accepts it. */
const MAX_LENGTH = 1000;
const APP13 = 0xffed;
const IMAGE_DESCRIPTION = 0x010e;
const PROPERTIES = ["Iptc4xmpCore:AltTextAccessibility", "dc:description"];
const ENTITIES = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
/** The 8BIM resource with IPTC, and in it the start of "caption" in record 2. */
const IPTC = "8BIM\x04\x04";
const CAPTION = "\x1c\x02\x78";

/** Return the description in a file; "" if it has none. */
export async function descriptionOf(file) {
  try {
    const head = await file.slice(0, HEAD).arrayBuffer();
    const tail = file.size > HEAD ? await file.slice(Math.max(HEAD, file.size - TAIL)).arrayBuffer() : new ArrayBuffer(0);
    return cleaned(fromXmp(head) || fromXmp(tail) || fromJpeg(head));
  } catch {
    // A file that cannot be read is refused elsewhere, with the reason.
    return "";
  }
}

function cleaned(text) {
  // Control characters are padding.
  const lines = text.replace(/\r\n?/g, "\n").replace(/\t/g, " ");
  return lines.replace(/(?!\n)\p{Cc}/gu, "").trim().slice(0, MAX_LENGTH);
}

/** Return the text as UTF-8, or as Latin-1 where it cannot be that. */
function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}

/** Return the alternative text or the description in an XMP packet, that of the default language if there are several. */
function fromXmp(buffer) {
  const text = new TextDecoder().decode(buffer);
  const start = text.indexOf("<rdf:RDF");
  const packet = start < 0 ? "" : text.slice(start, text.indexOf("</rdf:RDF>", start));
  for (const name of PROPERTIES) {
    const value = packet.split(`<${name}>`)[1]?.split(`</${name}>`)[0] ?? "";
    const items = [...value.matchAll(/<rdf:li([^>]*)>([^<]*)<\/rdf:li>/g)];
    const item = items.find(([, attributes]) => attributes.includes("x-default")) ?? items[0];
    if (item?.[2].trim()) return unescaped(item[2]);
  }
  return "";
}

function unescaped(text) {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name) return ENTITIES[name] ?? whole;
    const point = decimal ? Number(decimal) : parseInt(hex, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}

function fromJpeg(buffer) {
  const segments = segmentsOf(buffer) ?? [];
  const iptc = segments.find(({ marker }) => marker === APP13);
  const exif = segments.find(isExif);
  return (iptc && fromIptc(buffer.slice(iptc.start, iptc.end))) || (exif && fromExif(exif)) || "";
}

function fromIptc(buffer) {
  const bytes = new Uint8Array(buffer);
  const text = new TextDecoder("x-user-defined").decode(bytes);
  const block = text.indexOf(IPTC);
  const start = block < 0 ? -1 : text.indexOf(CAPTION, block);
  if (start < 0) return "";
  const length = new DataView(buffer).getUint16(start + CAPTION.length);
  // Of more than 32 kB: no description.
  return length & 0x8000 ? "" : decoded(bytes.slice(start + 5, start + 5 + length));
}

function fromExif(segment) {
  const { view } = segment;
  const found = directory(view, segment);
  const entry = found?.entries.find((offset) => view.getUint16(offset, found.little) === IMAGE_DESCRIPTION);
  if (entry === undefined) return "";
  const length = view.getUint32(entry + 4, found.little);
  const start = length <= 4 ? entry + 8 : segment.start + 10 + view.getUint32(entry + 8, found.little);
  return start + length > segment.end ? "" : decoded(new Uint8Array(view.buffer, start, length));
}
