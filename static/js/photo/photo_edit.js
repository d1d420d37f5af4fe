/** The dialog in which the author of a photo edits its description. */

import { ChosenPictures } from "../post/chosen_pictures.js";
import { h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { descriptionOf } from "./photo_description.js";
import { t } from "../elements/texts.js";
import { suggestFor } from "../post/suggestions.js";
import { parseTags, photoFields } from "../post/upload.js";

/** Open the dialog; it closes when the change is saved, or by its button. */
export async function editPhoto(app, { id }) {
  let photo;
  try {
    // The page may show an older state.
    photo = await app.api.get(`/photos/${id}`);
  } catch (error) {
    app.toasts.error(error);
    return;
  }
  const { caption, altText, tags, location, audience, sensitive } = photoFields(app, photo.audience);
  const taken = field("taken_at", t("Taken"), { kind: "datetime-local", hint: t("In your time zone. Everyone who can see the photo can find it; empty for none.") });
  caption.input.value = photo.caption;
  altText.input.value = photo.alt_text;
  tags.input.value = photo.tags.join(", ");
  location.input.value = photo.location ?? "";
  sensitive.input.checked = photo.sensitive;
  // What moderation has marked stays so, whatever the author says.
  sensitive.input.disabled = photo.moderation?.state === "sensitive";
  const pictures = photo.items && picturesOf(photo, altText);
  taken.input.value = localTime(photo.taken_at);
  for (const each of [caption, altText]) suggestFor(each, photo.suggestions?.[each.name]);
  const shownTime = taken.input.value;
  const cancel = h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Cancel"));
  const sheet = form({
    inputs: [caption, altText, tags, location, taken, audience, sensitive],
    action: t("Save"),
    extra: cancel,
    submit: async () => {
      const body = {
        caption: caption.input.value.trim(),
        ...(pictures ? { items: itemChanges(pictures) } : { alt_text: altText.input.value.trim() }),
        tags: parseTags(tags.input.value),
        location: location.input.value.trim(),
        audience: audience.input.value,
      };
      if (!sensitive.input.disabled) body.sensitive = sensitive.input.checked;
      // The field shows minutes; a time that was not touched keeps its seconds.
      if (taken.input.value !== shownTime) body.taken_at = taken.input.value && new Date(taken.input.value).toISOString();
      app.photos.patch(id, descriptionOf(await app.api.patch(`/photos/${id}`, body)));
      dialog.close();
      app.toasts.show(t("Saved"), { iconName: "check" });
    },
  });
  const dialog = h("dialog.edit-photo", { "aria-labelledby": "edit-photo-heading" }, h("h2", { id: "edit-photo-heading" }, t("Edit photo")), pictures?.element, sheet);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Return the pictures of a photo that has several, to be described, moved and removed. */
function picturesOf({ items }, altText) {
  const pictures = new ChosenPictures(altText, { another: null, add: null, changed: () => {} });
  for (const { sha256, alt_text, urls } of items) pictures.add({ sha256, altText: alt_text, preview: urls.feed });
  pictures.select(0);
  return pictures;
}

function itemChanges(pictures) {
  return pictures.all.map(({ sha256, altText }) => ({ sha256, alt_text: altText.trim() }));
}

/** Return an RFC 3339 time as the value of a field for the local date and time, to the minute. */
export function localTime(text) {
  if (!text) return "";
  const moment = new Date(text);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
