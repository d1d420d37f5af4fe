/** What of a photo its author can edit, in a photo and in publications about it. */

import { itemsOf } from "./photo_pictures.js";

/** The fields that change after the upload, as the API names them. */
const NAMES = ["audience", "sensitive", "caption", "caption_entities", "alt_text", "tags", "location", "taken_at", "edited_at"];

/** Return the fields of a photo or a publication that its author can edit, `edited_at`, and which pictures it has. */
export function descriptionOf(data) {
  const fields = Object.fromEntries(NAMES.filter((name) => name in data).map((name) => [name, data[name]]));
  const items = "edited_at" in data ? itemsOf(data) : null;
  return items ? { ...fields, items } : fields;
}
