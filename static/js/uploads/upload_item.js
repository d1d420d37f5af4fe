/** One upload in the tray: sends the photo, creates the post, and shows its progress and its result. */

import { ApiError } from "../service/api.js";
import { asSentence, fill, h, icon } from "../elements/dom.js";
import { descriptionOf } from "../photo/photo_description.js";
import { photoPath } from "../photo/photo_image.js";
import { previewOf } from "../elements/preview.js";
import { number, t } from "../elements/texts.js";
import { ResumableUpload } from "../service/resumable_upload.js";
import { retry } from "../service/retry.js";
import { moderationText } from "../photo/sensitive.js";
import { newPhotoSuggestions } from "../post/suggestions.js";

/** Statuses of refusals that do not depend on the photo or its texts, so that the same upload may succeed later. */
const PASSING_STATUSES = [0, 401, 403, 408, 409, 425, 429];
/** Refusals after which the bytes have to be sent again. */
const LOST_CODES = ["upload_not_found", "upload_incomplete", "upload_used", "checksum_mismatch"];
/** What the server has of a picture whose bytes have to be sent again. */
const LOST = { url: null, uploadId: null };
/** The tray removes a finished upload after this time, in milliseconds. */
const REMOVE_AFTER_MS = 5000;

/**
 * The fields of a `record`: its `id`, which is also the Idempotency-Key, so that an upload whose response was lost does
 * not create two photos; `content` {pictures, caption, tags, location, audience, sensitive}; and how far it is: of each picture {file, altText}
 * the `url` of its bytes on the server and its `uploadId` once they are complete, the `photoId` once the photo exists, and
 * the `error` of a refusal.
 */
export class UploadItem {
  #app;
  #record;
  #callbacks;
  #preview;
  #abort = new AbortController();
  #end;
  /** One bar for each picture, as wide as its part of the bytes. */
  #bars;
  #progressBars;
  #state = h("p.state.small.secondary", { role: "status" });
  #actions = h("div.actions");
  /** Resolves when the item has left the tray. */
  ended = new Promise((resolve) => {
    this.#end = resolve;
  });

  /**
   * `callbacks`: `keep(fields)` of the record, `forget()` the record, `watch(photo)`, `removed()` from the tray, and
   * `edit(refused)`.
   */
  constructor(app, record, callbacks) {
    this.#app = app;
    this.#record = record;
    this.#callbacks = callbacks;
    const { pictures, caption } = record.content;
    const [{ file }] = pictures;
    this.#preview = URL.createObjectURL(file);
    this.#bars = pictures.map((picture, place) => progressBar(picture, place, pictures.length));
    this.#progressBars = h("div.bars", {}, this.#bars);
    const image = previewOf({ file, preview: this.#preview }, { alt: "", failed: (element) => element.replaceWith(icon("image")) });
    this.element = h(
      "div.tray-item",
      {},
      h("span.tray-picture", {}, image),
      h("div.tray-text", {}, h("span.name", {}, caption || file.name), this.#progressBars, this.#state),
      this.#actions,
    );
  }

  get photoId() {
    return this.#record.photoId;
  }

  /** Go on where the record is. */
  begin() {
    const { error, photoId } = this.#record;
    if (error) this.#showFailure(error);
    else if (photoId) this.#created({ id: photoId, state: "processing" });
    else this.#send();
  }

  async #send() {
    this.element.classList.remove("failed");
    this.element.classList.add("sending");
    this.#progressBars.hidden = false;
    this.#setStatus(this.#pictures.some(({ url }) => url) ? t("Resuming…") : t("Uploading…"));
    fill(this.#actions, button(t("Cancel"), "close", () => this.#discard()));
    try {
      this.#created(await this.#post());
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#failed(error);
    }
  }

  async #post() {
    for (const [place, { uploadId }] of this.#pictures.entries()) {
      if (!uploadId) this.#keepPicture(place, { uploadId: await this.#sendFile(place) });
      this.#bars[place].value = 1;
    }
    this.#setStatus(t("Almost done…"));
    try {
      return await this.#postPhoto();
    } catch (error) {
      if (!LOST_CODES.includes(error.code)) throw error;
      for (const place of placesOf(error) ?? this.#pictures.keys()) this.#keepPicture(place, LOST);
      if (error.code !== "upload_not_found") throw error;
      return this.#post();
    }
  }

  #sendFile(place) {
    const { file, url } = this.#pictures[place];
    const upload = new ResumableUpload(this.#app.api, file, {
      url,
      signal: this.#abort.signal,
      created: (created) => this.#keepPicture(place, { url: created }),
      progress: (bytes) => this.#progress(place, bytes / file.size),
      waiting: (error) => this.#waiting(error),
    });
    return upload.send();
  }

  #postPhoto() {
    // Records that an earlier version of the page has kept have neither of the last two.
    const { caption, tags, location, audience = "public", sensitive = false } = this.#record.content;
    const items = this.#pictures.map(({ uploadId, altText }) => ({ upload_id: uploadId, alt_text: altText }));
    const body = { ...(items.length > 1 ? { items } : items[0]), caption, tags, location, audience, sensitive };
    return retry(() => this.#app.api.post("/photos", body, { key: this.#record.id, signal: this.#abort.signal }), {
      // The page goes on by itself when the network is back. Every refusal is shown.
      isTemporary: ({ status }) => status === 0,
      waiting: (error) => this.#waiting(error),
      signal: this.#abort.signal,
    });
  }

  #created(photo) {
    this.#keep({ photoId: photo.id });
    this.element.classList.remove("sending", "waiting");
    for (const bar of this.#bars) bar.removeAttribute("value");
    this.#setStatus(t("Processing…"));
    fill(this.#actions);
    this.#callbacks.watch(photo);
  }

  /** Show the result. */
  finished(photo) {
    this.#progressBars.hidden = true;
    if (photo.state === "ready") {
      this.#callbacks.forget();
      this.#setStatus(t("Shared"));
      const view = h("a.button.plain.compact", { href: photoPath(photo.id), onclick: () => this.dismiss() }, t("View"));
      fill(this.#actions, view);
      const dismissLater = () => setTimeout(() => this.dismiss(), REMOVE_AFTER_MS);
      const offered = newPhotoSuggestions(photo, { save: (fields) => this.#editPhoto(photo, fields), done: dismissLater });
      if (!offered) dismissLater();
      else {
        // The author needs time to read.
        this.#actions.append(button(t("Dismiss"), "close", () => this.dismiss()));
        this.element.append(offered);
      }
    } else if (photo.state === "hidden") {
      this.#callbacks.forget();
      this.#setStatus(moderationText(photo));
      fill(this.#actions, h("a.button.plain.compact", { href: photoPath(photo.id), onclick: () => this.dismiss() }, t("View")), button(t("Dismiss"), "close", () => this.dismiss()));
    } else {
      const reason = photo.reason ? asSentence(photo.reason) : t("It may be damaged.");
      for (const place of this.#pictures.keys()) this.#keepPicture(place, LOST);
      this.#failed(new ApiError(422, { detail: `${t("This photo could not be processed.")} ${reason}` }));
    }
  }

  /** Change the description of the photo; return whether it succeeded. */
  async #editPhoto({ id }, fields) {
    try {
      this.#app.photos.patch(id, descriptionOf(await this.#app.api.patch(`/photos/${id}`, fields)));
      return true;
    } catch (error) {
      this.#app.toasts.error(error);
      return false;
    }
  }

  #progress(place, fraction) {
    this.element.classList.remove("waiting");
    this.#bars[place].value = fraction;
    const count = this.#pictures.length;
    const percent = number(Math.floor(fraction * 100) / 100, { style: "percent" });
    const what = count > 1 ? t("Uploading picture {place} of {count}… {percent}", { place: place + 1, count, percent }) : t("Uploading… {percent}", { percent });
    if (fraction < 1) this.#setStatus(what);
    else if (place === count - 1) this.#setStatus(t("Almost done…"));
  }

  #waiting(error) {
    this.element.classList.add("waiting");
    if (navigator.onLine) this.#setStatus(t("{problem} Trying again…", { problem: asSentence(error.message) }));
    else this.#setStatus(t("You are offline. The upload goes on when the network is back."));
  }

  #failed(cause) {
    const { status, code, fields } = cause;
    const [place] = placesOf(cause) ?? [];
    const message = place === undefined ? cause.message : String(t("Picture {place}: {problem}", { place: place + 1, problem: Object.values(fields)[0] }));
    const error = { status, code, message, fields };
    this.#keep({ error });
    this.#showFailure(error);
  }

  /** A refusal loses nothing: the upload can be sent again as it is, or changed in the form it came from. */
  #showFailure(error) {
    this.element.classList.remove("sending", "waiting");
    this.element.classList.add("failed");
    this.#progressBars.hidden = true;
    this.#setStatus(asSentence(error.fields?.file ?? error.message));
    const next = mayPass(error)
      ? h("button.button.plain.compact", { type: "button", onclick: () => this.#sendAgain() }, t("Try again"))
      : h("button.button.plain.compact", { type: "button", onclick: () => this.#edit(error) }, t("Edit"));
    fill(this.#actions, next, button(t("Dismiss"), "close", () => this.#discard()));
  }

  #sendAgain() {
    this.#keep({ error: null });
    this.#send();
  }

  #edit(error) {
    this.#callbacks.edit({ content: this.#record.content, error, dismiss: () => this.dismiss() });
  }

  /** Remove this upload from the tray, and its bytes from the server unless they have become a photo. */
  #discard() {
    const { photoId } = this.#record;
    const urls = this.#pictures.map(({ url }) => url).filter(Boolean);
    this.dismiss();
    if (photoId) return;
    // If this fails, the server removes them after a day.
    for (const url of urls) ResumableUpload.remove(this.#app.api, url).catch(() => {});
  }

  /** Remove this upload from the tray. */
  dismiss() {
    this.#callbacks.forget();
    this.stop();
  }

  /** Remove this upload from the tray, but not from what the browser keeps. */
  stop() {
    this.#callbacks.removed();
    this.#abort.abort();
    URL.revokeObjectURL(this.#preview);
    this.element.remove();
    this.#end();
  }

  get #pictures() {
    return this.#record.content.pictures;
  }

  #keepPicture(place, fields) {
    Object.assign(this.#pictures[place], fields);
    this.#keep({ content: this.#record.content });
  }

  #keep(fields) {
    Object.assign(this.#record, fields);
    this.#callbacks.keep(fields);
  }

  #setStatus(text) {
    if (this.#state.textContent !== String(text)) fill(this.#state, text);
  }
}

/** Return the places of the pictures that an error names, or null if it names none. */
function placesOf({ fields }) {
  const places = Object.keys(fields ?? {}).map((name) => /^items\.(\d+)\./.exec(name)?.[1]);
  const named = places.filter(Boolean).map(Number);
  return named.length > 0 ? named : null;
}

function progressBar({ file }, place, count) {
  const label = count > 1 ? t("Upload progress of picture {place} of {count}", { place: place + 1, count }) : t("Upload progress");
  return h("progress", { max: "1", value: "0", "aria-label": label, style: { "flex-grow": String(file.size) } });
}

/** Return whether the same upload may succeed after this error, without a change of the photo or its texts. */
function mayPass({ status, code }) {
  return PASSING_STATUSES.includes(status) || status >= 500 || code === "body_incomplete";
}

function button(label, iconName, action) {
  return h("button.icon-button.small-icon", { type: "button", "aria-label": label, onclick: action }, icon(iconName));
}
