/** The records of pending changes: those that the browser keeps, and those of this page where it keeps nothing. */

import { BrowserStore } from "../service/browser_store.js";

const MAX_RECORDS = 500;

export class KeptRecords {
  #store = new BrowserStore("pending", { maxRecords: MAX_RECORDS });
  #ours = new Map();

  /** Keep a record; returns whether it outlives this page. */
  async add(record) {
    const kept = await this.#store.add(record);
    if (!kept) this.#ours.set(record.id, record);
    return kept;
  }

  /** Return the records of a user, the oldest first. */
  async list(user) {
    const ours = [...this.#ours.values()].filter((record) => record.user === user);
    return [...(await this.#store.list(user)), ...ours].sort((one, other) => one.savedAt - other.savedAt);
  }

  /** As `BrowserStore.change`. */
  async change(id, decide) {
    if (!this.#ours.has(id)) return this.#store.change(id, decide);
    const left = decide(this.#ours.get(id));
    if (left) this.#ours.set(id, left);
    else this.#ours.delete(id);
    return left;
  }

  async remove(id) {
    this.#ours.delete(id);
    await this.#store.remove(id);
  }

  async removeAll(user) {
    for (const [id, record] of [...this.#ours]) if (record.user === user) this.#ours.delete(id);
    await this.#store.removeAll(user);
  }
}
