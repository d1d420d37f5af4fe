/**
 * Uploads on their way: sent with progress, followed until the photo is ready or refused, shown in a tray above
 * whatever page is open.
 *
 * A repeat carries the same Idempotency-Key, so that an upload whose answer was lost does not become two photos.
 */

import { idempotencyKey, problemOf } from "./api.js";
import { fill, h, icon, sentence } from "./dom.js";
import { photoPath } from "./photo_image.js";

/** Ask for a photo's state after so many milliseconds, should live delivery not have told it before. */
const ASK_AFTER = [700, 1500, 3000, 5000, 8000, 13_000, 20_000];
/** The tray forgets a finished upload after so many milliseconds. */
const FORGET_AFTER = 5000;

export class Uploads {
  #app;
  #readyListeners = new Set();
  #following = new Map();
  element = h("section.tray", { "aria-label": "Uploads" });

  constructor(app) {
    this.#app = app;
    addEventListener("beforeunload", (event) => {
      // Leaving now would lose what is not sent yet; the browser asks.
      if (this.element.querySelector(".tray-item.sending")) event.preventDefault();
    });
    app.live.on("feed", ({ data }) => {
      if (data.type === "photo.new") this.#following.get(data.photo.id)?.settle(data.photo);
    });
    app.live.on("notifications", ({ data }) => {
      const { kind, photo_id: id } = data.notification ?? {};
      if (kind === "photo_rejected") this.#following.get(id)?.ask();
    });
  }

  /** Call `listener(photo)` for each own photo that became ready. */
  onReady(listener) {
    this.#readyListeners.add(listener);
    return () => this.#readyListeners.delete(listener);
  }

  /** Begin to upload `{file, caption, altText, tags, location}`. */
  start(content) {
    const upload = new Upload(this.#app, content, {
      follow: (photo) => this.#follow(upload, photo),
      gone: () => this.#following.delete(upload.photoId),
    });
    this.element.prepend(upload.element);
    upload.send();
  }

  /** Let go of every upload, when another person signs in. */
  clear() {
    for (const item of this.#following.values()) item.stop();
    this.#following.clear();
    this.element.replaceChildren();
  }

  #follow(upload, photo) {
    let timer = null;
    let asked = 0;
    const settle = (now) => {
      if (now.state === "processing" || !this.#following.has(photo.id)) return;
      clearTimeout(timer);
      this.#following.delete(photo.id);
      upload.finished(now);
      if (now.state === "ready") for (const listener of this.#readyListeners) listener(now);
    };
    const ask = async () => {
      try {
        settle(await this.#app.api.get(`/photos/${photo.id}`));
      } catch (error) {
        if (error.status === 404) settle({ ...photo, state: "rejected" });
      }
      later();
    };
    const later = () => {
      if (!this.#following.has(photo.id)) return;
      clearTimeout(timer);
      timer = setTimeout(ask, ASK_AFTER[Math.min(asked++, ASK_AFTER.length - 1)]);
    };
    this.#following.set(photo.id, { settle, ask, stop: () => clearTimeout(timer) });
    if (photo.state === "processing") later();
    else settle(photo);
  }
}

class Upload {
  #app;
  #content;
  #tell;
  #key = idempotencyKey();
  #preview;
  #request = null;
  #bar = h("progress", { max: "1", value: "0", "aria-label": "Upload progress" });
  #state = h("p.state.small.quiet", { role: "status" });
  #actions = h("div.actions");
  photoId = null;

  constructor(app, content, tell) {
    this.#app = app;
    this.#content = content;
    this.#tell = tell;
    this.#preview = URL.createObjectURL(content.file);
    const name = content.caption || content.file.name;
    this.element = h(
      "div.tray-item",
      {},
      h("img", { src: this.#preview, alt: "", onerror: (event) => event.target.removeAttribute("src") }),
      h("div.tray-text", {}, h("span.name", {}, name), this.#bar, this.#state),
      this.#actions,
    );
  }

  async send() {
    this.element.classList.remove("failed");
    this.element.classList.add("sending");
    this.#bar.hidden = false;
    this.#say("Uploading…");
    fill(this.#actions, button("Cancel", "close", () => this.#cancel()));
    try {
      await this.#app.api.ensureFresh();
      const photo = await this.#post();
      this.photoId = photo.id;
      this.element.classList.remove("sending");
      this.#bar.removeAttribute("value");
      this.#say("Preparing…");
      fill(this.#actions);
      this.#tell.follow(photo);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Show how it ended. */
  finished(photo) {
    this.#bar.hidden = true;
    if (photo.state === "ready") {
      this.#say("Shared");
      fill(this.#actions, h("a.button.plain.compact", { href: photoPath(photo.id), onclick: () => this.#leave() }, "View"));
      setTimeout(() => this.#leave(), FORGET_AFTER);
    } else {
      const reason = photo.reason ? ` ${sentence(photo.reason)}` : " It may be damaged.";
      this.#failed(new Error(`This photo could not be used.${reason}`), { final: true });
    }
  }

  #post() {
    const { file, caption, altText, tags, location } = this.#content;
    const body = new FormData();
    // The texts first: a server that reads the parts in order knows them before the file comes.
    if (caption) body.append("caption", caption);
    if (altText) body.append("alt_text", altText);
    if (location) body.append("location", location);
    for (const tag of tags) body.append("tags", tag);
    body.append("file", file, "photo");
    return new Promise((resolve, reject) => {
      // fetch() cannot tell how much of a body has been sent.
      const request = new XMLHttpRequest();
      this.#request = request;
      request.open("POST", "/api/v1/photos");
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("Idempotency-Key", this.#key);
      for (const [name, value] of Object.entries(this.#app.api.writeHeaders())) request.setRequestHeader(name, value);
      request.upload.addEventListener("progress", ({ loaded, total }) => this.#progress(loaded / total));
      request.addEventListener("load", () => {
        if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
        else reject(problemOf(request.status, request.responseText));
      });
      request.addEventListener("error", () => reject(problemOf(0, "")));
      request.send(body);
    });
  }

  #progress(share) {
    this.#bar.value = share;
    this.#say(share < 1 ? `Uploading… ${Math.round(share * 100)} %` : "Almost there…");
  }

  #failed(error, { final = false } = {}) {
    this.element.classList.remove("sending");
    this.element.classList.add("failed");
    this.#bar.hidden = true;
    this.#say(sentence(error.fields?.file ?? error.message));
    const again = h("button.button.plain.compact", { type: "button", onclick: () => this.send() }, "Try again");
    const worthIt = !final && ([0, 401, 409, 429].includes(error.status) || error.status >= 500);
    fill(this.#actions, worthIt && again, button("Dismiss", "close", () => this.#leave()));
  }

  #cancel() {
    this.#request?.abort();
    this.#leave();
  }

  #leave() {
    this.#tell.gone();
    URL.revokeObjectURL(this.#preview);
    this.element.remove();
  }

  #say(text) {
    if (this.#state.textContent !== text) this.#state.textContent = text;
  }
}

function button(label, iconName, action) {
  return h("button.icon-button.small-icon", { type: "button", "aria-label": label, onclick: action }, icon(iconName));
}
