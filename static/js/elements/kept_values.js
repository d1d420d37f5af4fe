/**
 * Short texts that the browser keeps under keys: those of this device, shared by all tabs, and those of this tab.
 *
 * A browser may refuse, because the user has blocked cookies or the disk is full. A value then lasts as long as the page,
 * so no caller has to handle that.
 */

class KeptValues {
  #storage;
  /** Values that the browser does not keep. */
  #ours = new Map();

  /** `storage()` returns the storage; even to name it throws an error where the user has blocked it. */
  constructor(storage) {
    this.#storage = storage;
  }

  /** Return a text, or null. */
  get(key) {
    if (this.#ours.has(key)) return this.#ours.get(key);
    try {
      return this.#storage().getItem(key);
    } catch {
      return null;
    }
  }

  set(key, text) {
    this.#ours.delete(key);
    try {
      this.#storage().setItem(key, text);
    } catch {
      this.remove(key); // what was kept before is older than this
      this.#ours.set(key, text);
    }
  }

  remove(key) {
    this.#ours.delete(key);
    try {
      this.#storage().removeItem(key);
    } catch {
      // There is nothing to remove.
    }
  }

  /** Remove every value whose key begins so. */
  removeAll(prefix) {
    let keys = [...this.#ours.keys()];
    try {
      keys = [...keys, ...Object.keys(this.#storage())];
    } catch {
      // The browser keeps nothing.
    }
    for (const key of keys) if (key.startsWith(prefix)) this.remove(key);
  }

  /** Return an object that was kept as JSON; null if there is none that can be read. */
  getObject(key) {
    try {
      return JSON.parse(this.get(key));
    } catch {
      return null;
    }
  }
}

export const deviceValues = new KeptValues(() => localStorage);
export const tabValues = new KeptValues(() => sessionStorage);
