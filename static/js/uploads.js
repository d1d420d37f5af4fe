/**
 * Uploads in progress: sent with a progress bar, watched until the photo is ready or rejected, and shown in a tray above
 * the current page.
 *
 * A retry has the same Idempotency-Key, so that an upload whose response was lost does not create two photos.
 */

import { errorFromProblem, idempotencyKey } from "./api.js";
import { asSentence, fill, h, icon } from "./dom.js";
import { photoPath } from "./photo_image.js";

/** Delays between requests for a photo's state, for the case that live delivery does not report it first. */
const POLL_DELAYS_MS = [700, 1500, 3000, 5000, 8000, 13_000, 20_000];
/** Statuses of refusals that do not depend on the photo or its texts, so that the same upload may succeed later. */
const PASSING_STATUSES = [0, 401, 403, 408, 409, 425, 429];
/** The tray removes a finished upload after this time, in milliseconds. */
const REMOVE_AFTER_MS = 5000;

export class Uploads {
  #app;
  #readyListeners = new Set();
  #watched = new Map();
  element = h("section.tray", { "aria-label": "Uploads" });

  constructor(app) {
    this.#app = app;
    addEventListener("beforeunload", (event) => {
      // Leaving now would cancel the upload, so the browser asks for confirmation.
      if (this.element.querySelector(".tray-item.sending")) event.preventDefault();
    });
    app.live.on("feed", ({ data }) => {
      if (data.type === "photo.new") this.#watched.get(data.photo.id)?.finish(data.photo);
    });
    app.live.on("notifications", ({ data }) => {
      const { kind, photo_id: id } = data.notification ?? {};
      if (kind === "photo_rejected") this.#watched.get(id)?.poll();
    });
  }

  /** Call `listener(photo)` for each uploaded photo that is ready; returns a function that removes it. */
  onReady(listener) {
    this.#readyListeners.add(listener);
    return () => this.#readyListeners.delete(listener);
  }

  /** Start to upload `{file, caption, altText, tags, location}`. */
  start(content) {
    const upload = new Upload(this.#app, content, {
      watch: (photo) => this.#watch(upload, photo),
      removed: () => this.#watched.delete(upload.photoId),
      edit: (error) => this.#app.editRefused({ content, error, dismiss: () => upload.dismiss() }),
    });
    this.element.prepend(upload.element);
    upload.send();
  }

  /** Drop every upload when another user signs in. */
  clear() {
    for (const item of this.#watched.values()) item.stop();
    this.#watched.clear();
    this.element.replaceChildren();
  }

  #watch(upload, photo) {
    let timer = null;
    let polls = 0;
    const finish = (current) => {
      if (current.state === "processing" || !this.#watched.has(photo.id)) return;
      clearTimeout(timer);
      this.#watched.delete(photo.id);
      upload.finished(current);
      if (current.state === "ready") for (const listener of this.#readyListeners) listener(current);
    };
    const poll = async () => {
      try {
        finish(await this.#app.api.get(`/photos/${photo.id}`));
      } catch (error) {
        if (error.status === 404) finish({ ...photo, state: "rejected" });
      }
      pollLater();
    };
    const pollLater = () => {
      if (!this.#watched.has(photo.id)) return;
      clearTimeout(timer);
      timer = setTimeout(poll, POLL_DELAYS_MS[Math.min(polls++, POLL_DELAYS_MS.length - 1)]);
    };
    this.#watched.set(photo.id, { finish, poll, stop: () => clearTimeout(timer) });
    if (photo.state === "processing") pollLater();
    else finish(photo);
  }
}

class Upload {
  #app;
  #content;
  #callbacks;
  #key = idempotencyKey();
  #preview;
  #request = null;
  #bar = h("progress", { max: "1", value: "0", "aria-label": "Upload progress" });
  #state = h("p.state.small.secondary", { role: "status" });
  #actions = h("div.actions");
  photoId = null;

  constructor(app, content, callbacks) {
    this.#app = app;
    this.#content = content;
    this.#callbacks = callbacks;
    this.#preview = URL.createObjectURL(content.file);
    const name = content.caption || content.file.name;
    const image = h("img", { src: this.#preview, alt: "" });
    image.addEventListener("error", () => image.replaceWith(icon("image")));
    this.element = h(
      "div.tray-item",
      {},
      h("span.tray-picture", {}, image),
      h("div.tray-text", {}, h("span.name", {}, name), this.#bar, this.#state),
      this.#actions,
    );
  }

  async send() {
    this.element.classList.remove("failed");
    this.element.classList.add("sending");
    this.#bar.hidden = false;
    this.#setStatus("Uploading…");
    fill(this.#actions, button("Cancel", "close", () => this.#cancel()));
    try {
      await this.#app.api.ensureFresh();
      const photo = await this.#post();
      this.photoId = photo.id;
      this.element.classList.remove("sending");
      this.#bar.removeAttribute("value");
      this.#setStatus("Processing…");
      fill(this.#actions);
      this.#callbacks.watch(photo);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Show the result. */
  finished(photo) {
    this.#bar.hidden = true;
    if (photo.state === "ready") {
      this.#setStatus("Shared");
      fill(this.#actions, h("a.button.plain.compact", { href: photoPath(photo.id), onclick: () => this.dismiss() }, "View"));
      setTimeout(() => this.dismiss(), REMOVE_AFTER_MS);
    } else {
      const reason = photo.reason ? ` ${asSentence(photo.reason)}` : " It may be damaged.";
      this.#failed(new Error(`This photo could not be processed.${reason}`));
    }
  }

  #post() {
    const { file, caption, altText, tags, location } = this.#content;
    const body = new FormData();
    // The server reads the parts in order, so the texts come before the file.
    if (caption) body.append("caption", caption);
    if (altText) body.append("alt_text", altText);
    if (location) body.append("location", location);
    for (const tag of tags) body.append("tags", tag);
    body.append("file", file, "photo");
    return new Promise((resolve, reject) => {
      // fetch() does not report the progress of an upload.
      const request = new XMLHttpRequest();
      this.#request = request;
      request.open("POST", "/api/v1/photos");
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("Idempotency-Key", this.#key);
      for (const [name, value] of Object.entries(this.#app.api.writeHeaders())) request.setRequestHeader(name, value);
      request.upload.addEventListener("progress", ({ loaded, total }) => this.#progress(loaded / total));
      request.addEventListener("load", () => {
        if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
        else reject(errorFromProblem(request.status, request.responseText));
      });
      request.addEventListener("error", () => reject(errorFromProblem(0, "")));
      request.send(body);
    });
  }

  #progress(fraction) {
    this.#bar.value = fraction;
    this.#setStatus(fraction < 1 ? `Uploading… ${Math.round(fraction * 100)} %` : "Almost done…");
  }

  #failed(error) {
    this.element.classList.remove("sending");
    this.element.classList.add("failed");
    this.#bar.hidden = true;
    this.#setStatus(asSentence(error.fields?.file ?? error.message));
    // A refusal loses nothing: the upload can be sent again as it is, or changed in the form it came from.
    const next = mayPass(error)
      ? h("button.button.plain.compact", { type: "button", onclick: () => this.send() }, "Try again")
      : h("button.button.plain.compact", { type: "button", onclick: () => this.#callbacks.edit(error) }, "Edit");
    fill(this.#actions, next, button("Dismiss", "close", () => this.dismiss()));
  }

  #cancel() {
    this.#request?.abort();
    this.dismiss();
  }

  /** Remove this upload from the tray. */
  dismiss() {
    this.#callbacks.removed();
    URL.revokeObjectURL(this.#preview);
    this.element.remove();
  }

  #setStatus(text) {
    if (this.#state.textContent !== text) this.#state.textContent = text;
  }
}

/** Return whether the same upload may succeed after this error, without a change of the photo or its texts. */
function mayPass({ status, code }) {
  return PASSING_STATUSES.includes(status) || status >= 500 || code === "body_incomplete";
}

function button(label, iconName, action) {
  return h("button.icon-button.small-icon", { type: "button", "aria-label": label, onclick: action }, icon(iconName));
}
