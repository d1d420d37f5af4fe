/**
 * The form of a new photo that has not been shared yet: kept until it is shared or discarded, also over a reload or a crash.
 *
 * Every tab has a draft of its own. Its texts are in the tab's storage, which is written at once, so that a reload finds
 * them; a copy of them and the pictures are in the store of the browser, where another tab finds the draft of one that was closed.
 */

import { idempotencyKey } from "../service/api.js";
import { BrowserStore } from "../service/browser_store.js";
import { tabValues } from "../elements/kept_values.js";
import { isLockFree, withLongTabLock } from "../service/tab_lock.js";

const KEY = "picshare.draft";
/** Of all tabs: several drafts of ten pictures. */
const MAX_RECORDS = 60;
/** A copy of the texts is written after this time without a keystroke, in milliseconds. */
const COPY_AFTER_MS = 300;
/** The texts without which, and without pictures, a draft is empty. */
const TEXTS = ["caption", "alt_text", "tags", "location"];

export class UploadDraft {
  #session;
  #store = new BrowserStore("drafts", { maxRecords: MAX_RECORDS });
  #timer = null;
  /** The id of the draft whose lock this tab holds, and the function that releases it. */
  #held = { id: null, release: () => {} };

  constructor(session) {
    this.#session = session;
    addEventListener("pagehide", () => this.#copy());
  }

  /** Keep the texts `{name: text}`. */
  saveTexts(texts) {
    this.#save({ texts });
  }

  /** Keep the chosen pictures {file, altText, original, changes} in their order; each gets the `id` of its record. */
  savePictures(pictures) {
    for (const picture of pictures) {
      if (picture.id) continue;
      picture.id = idempotencyKey();
      const { id, file, original = null, changes } = picture;
      const size = file.size + (original?.size ?? 0);
      this.#store.add({ id, user: this.#session.id, size, savedAt: Date.now(), file, original, changes });
    }
    const ids = new Set(pictures.map(({ id }) => id));
    for (const { id } of this.#current().pictures) if (!ids.has(id)) this.#store.remove(id);
    this.#save({ pictures: pictures.map(({ id, altText }) => ({ id, altText })) });
  }

  /** The texts that were kept, or null. */
  get texts() {
    return this.#current().texts;
  }

  /** Return the pictures that were kept. */
  async loadPictures() {
    const load = async ({ id, altText }) => {
      const { file, original = null, changes } = (await this.#store.get(id)) ?? {};
      return { id, altText, file, original, changes };
    };
    const pictures = await Promise.all(this.#current().pictures.map(load));
    return pictures.filter(({ file }) => file);
  }

  /** Return the newest draft {id, savedAt, texts, pictures} of a tab that is not open any more, or null. */
  async findOther() {
    const own = this.#current().id;
    const drafts = (await this.#store.list(this.#session.id)).filter(({ id, pictures }) => pictures && id !== own);
    for (const draft of drafts.reverse()) if (await isLockFree(lockName(draft.id))) return draft;
    return null;
  }

  /** Make a draft that was found the one of this tab. */
  take({ id, texts, pictures }) {
    this.#write({ user: this.#session.id, id, texts, pictures });
    this.#hold(id);
  }

  /** Remove a draft that was found. */
  discard({ id, pictures }) {
    for (const one of [id, ...pictures.map((picture) => picture.id)].filter(Boolean)) this.#store.remove(one);
  }

  /** Remove the draft of this tab. */
  clear() {
    clearTimeout(this.#timer);
    this.discard(this.#current());
    tabValues.remove(KEY);
    this.#hold(null);
  }

  /** Remove the drafts of a user, in all tabs. */
  async forget(user) {
    clearTimeout(this.#timer);
    tabValues.remove(KEY);
    await this.#store.removeAll(user);
  }

  /** Go on with the draft of this tab after a reload, and remove those of tabs that were closed long ago. */
  async begin() {
    if (tabValues.get(KEY)) this.#hold(this.#current().id);
    await this.#store.list(this.#session.id);
  }

  #current() {
    const none = { user: this.#session.id, id: null, texts: null, pictures: [] };
    const current = tabValues.getObject(KEY) ?? none;
    return current.user === this.#session.id ? { ...none, ...current } : none;
  }

  #save(fields) {
    const draft = { ...this.#current(), ...fields };
    draft.id ??= idempotencyKey();
    this.#write(draft);
    this.#hold(draft.id);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#copy(), COPY_AFTER_MS);
  }

  #write(draft) {
    tabValues.set(KEY, JSON.stringify(draft));
  }

  #copy() {
    clearTimeout(this.#timer);
    const { id, user, texts, pictures } = this.#current();
    if (!id || !user) return;
    const isEmpty = pictures.length === 0 && !TEXTS.some((name) => texts?.[name]?.trim());
    if (isEmpty) this.#store.remove(id);
    else this.#store.add({ id, user, size: 0, savedAt: Date.now(), texts, pictures });
  }

  /** Hold the lock of a draft until the tab is closed, so that no other tab offers to continue it. */
  #hold(id) {
    if (id === this.#held.id) return;
    this.#held.release();
    this.#held = { id, release: () => {} };
    if (id) withLongTabLock(lockName(id), () => new Promise((resolve) => (this.#held.release = resolve)));
  }
}

function lockName(id) {
  return `picshare.draft.${id}`;
}
