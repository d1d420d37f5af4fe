/** The types of pictures and videos that can be uploaded, and how the files of pictures begin. */

/** Types for the file chooser. HEIC is not among them: without it Safari sends a JPEG instead, which every server takes. */
export const PICTURE_TYPES = ["image/jpeg", "image/png", "image/webp", "image/avif", "image/gif"];
/** Types of videos; a server without what they need refuses them. */
export const VIDEO_TYPES = ["video/mp4", "video/quicktime"];
/** What files of these types, and of HEIC, have at a position; the server reads on, and names what it does not accept. */
const SIGNATURES = [
  { at: 0, text: "\xff\xd8\xff" },
  { at: 0, text: "\x89PNG\r\n\x1a\n" },
  { at: 8, text: "WEBP" },
  { at: 0, text: "GIF8" },
  ...["avif", "avis", "heic", "heix", "mif1", "msf1"].map((brand) => ({ at: 4, text: `ftyp${brand}` })),
];

/** Return whether a file is a video by its declared type, which every browser derives from the name. */
export function isVideo({ type }) {
  return VIDEO_TYPES.includes(type);
}

/** Return whether a file begins as one of the types does, as the server requires. */
export async function beginsLikePicture(file) {
  const start = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  return SIGNATURES.some(({ at, text }) => start.startsWith(text, at));
}
