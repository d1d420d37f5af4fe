/**
 * Where lists of photos were read, kept in the tab's own storage: each by the history entry of its page, so that a reload,
 * and a way back for which the page was not kept, lead to the same photo.
 */

import { tabValues } from "../elements/kept_values.js";

const KEY = "picshare.places";
/** Lists of so many history entries are kept, the newest ones. */
const MAX_PLACES = 8;
/** In milliseconds after the last movement. */
const PAUSE_MS = 400;

/** Return the id of the photo that the address of a list names, or null. */
export function linkedPhoto() {
  return new URLSearchParams(location.search).get("at");
}

/** Keeps the place of one list, and reads that of before. */
export class ListPlace {
  #key = history.state?.key ?? "";
  #path = location.pathname;
  #user;
  #snapshot;
  #timer = null;

  /** `user` is the id of the one who reads; `snapshot()` returns what is to be kept, or null. */
  constructor(user, snapshot) {
    this.#user = user;
    this.#snapshot = snapshot;
    addEventListener("scroll", this.#scrolled, { passive: true });
    addEventListener("pagehide", this.#save);
  }

  /** What was kept for this list, or null. */
  get former() {
    const kept = places().find(({ key, path, user }) => key === this.#key && path === this.#path && user === this.#user);
    return kept?.list ?? null;
  }

  leave() {
    this.#save();
    clearTimeout(this.#timer);
    removeEventListener("scroll", this.#scrolled);
    removeEventListener("pagehide", this.#save);
  }

  /** A browser that crashes hides no page. */
  #scrolled = () => {
    clearTimeout(this.#timer);
    if (history.state?.key === this.#key) this.#timer = setTimeout(this.#save, PAUSE_MS);
  };

  #save = () => {
    const others = places().filter(({ key }) => key !== this.#key);
    const list = this.#snapshot();
    const all = list ? [...others, { key: this.#key, path: this.#path, user: this.#user, list }] : others;
    if (all.length > 0) tabValues.set(KEY, JSON.stringify(all.slice(-MAX_PLACES)));
    else tabValues.remove(KEY);
  };
}

function places() {
  return tabValues.getObject(KEY) ?? [];
}
