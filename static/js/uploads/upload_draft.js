/**
 * The form of a new photo that has not been shared yet: kept until it is shared or discarded, also over a reload.
 *
 * The texts are in the tab's own storage, which is written at once, and the pictures are in the store of the browser. Every
 * tab has a draft of its own.
 */

import { idempotencyKey } from "../service/api.js";
import { BrowserStore } from "../service/browser_store.js";

const KEY = "picshare.draft";

export class UploadDraft {
  #session;
  #photos = new BrowserStore("drafts");

  constructor(session) {
    this.#session = session;
  }

  /** Keep the texts `{name: text}`. */
  saveTexts(texts) {
    this.#save({ texts });
  }

  /** Keep the chosen pictures {file, altText} in their order; each gets the `id` of its record. */
  savePictures(pictures) {
    for (const picture of pictures) {
      if (picture.id) continue;
      picture.id = idempotencyKey();
      this.#photos.add({ id: picture.id, user: this.#session.id, size: picture.file.size, savedAt: Date.now(), file: picture.file });
    }
    const ids = new Set(pictures.map(({ id }) => id));
    for (const { id } of this.#current().pictures) if (!ids.has(id)) this.#photos.remove(id);
    this.#save({ pictures: pictures.map(({ id, altText }) => ({ id, altText })) });
  }

  /** The texts that were kept, or null. */
  get texts() {
    return this.#current().texts;
  }

  /** Return the pictures that were kept. */
  async loadPictures() {
    const load = async ({ id, altText }) => ({ id, altText, file: (await this.#photos.get(id))?.file });
    const pictures = await Promise.all(this.#current().pictures.map(load));
    return pictures.filter(({ file }) => file);
  }

  clear() {
    this.savePictures([]);
    sessionStorage.removeItem(KEY);
  }

  /** Remove the drafts of a user, in all tabs. */
  async forget(user) {
    sessionStorage.removeItem(KEY);
    await this.#photos.removeAll(user);
  }

  /** Remove the photos of tabs that were closed long ago. */
  async removeOld() {
    await this.#photos.list(this.#session.id);
  }

  #current() {
    const none = { user: this.#session.id, texts: null, pictures: [] };
    const current = JSON.parse(sessionStorage.getItem(KEY)) ?? none;
    return current.user === this.#session.id ? { ...none, ...current } : none;
  }

  #save(fields) {
    sessionStorage.setItem(KEY, JSON.stringify({ ...this.#current(), ...fields }));
  }
}
