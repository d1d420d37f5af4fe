/**
 * Records with files that the browser keeps on the device (IndexedDB), so that a reload or a crash loses nothing.
 *
 * Browsers may refuse to keep anything, for example in private windows or on a full disk. What a record is kept for goes
 * on without it, so no method throws.
 */

const DATABASE = "picshare";
const VERSION = 1;
const STORES = ["uploads", "drafts"];
/** Limits of one store, the first by default; a record that does not fit is not kept. */
const MAX_RECORDS = 20;
const MAX_BYTES = 200_000_000;
/** Records are removed after this time. */
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;

let database = null;

export class BrowserStore {
  #name;
  #maxRecords;

  constructor(name, { maxRecords = MAX_RECORDS } = {}) {
    this.#name = name;
    this.#maxRecords = maxRecords;
  }

  /** Keep a record `{id, user, size, savedAt, …}`: the size in bytes of its file, the time in milliseconds. It replaces one with the same id. */
  async add(record) {
    await this.#run("readwrite", (store) => {
      const all = store.getAll();
      all.onsuccess = () => {
        const others = all.result.filter(({ id }) => id !== record.id);
        const bytes = others.reduce((sum, { size }) => sum + size, record.size);
        if (others.length < this.#maxRecords && bytes <= MAX_BYTES) store.put(record);
      };
      return all;
    });
  }

  /** Return a record, or null. */
  async get(id) {
    return (await this.#run("readonly", (store) => store.get(id))) ?? null;
  }

  /** Change some fields of a record, if it is there. */
  async update(id, fields) {
    await this.#run("readwrite", (store) => {
      const found = store.get(id);
      found.onsuccess = () => found.result && store.put({ ...found.result, ...fields });
      return found;
    });
  }

  async remove(id) {
    await this.#run("readwrite", (store) => store.delete(id));
  }

  /** Return the records of a user, the oldest first, and remove those that are too old. */
  async list(user) {
    const records = await this.#all();
    const isOld = ({ savedAt }) => Date.now() - savedAt > MAX_AGE_MS;
    for (const record of records.filter(isOld)) this.remove(record.id);
    return records.filter((record) => record.user === user && !isOld(record)).sort((one, other) => one.savedAt - other.savedAt);
  }

  /** Remove every record of a user. */
  async removeAll(user) {
    for (const record of await this.#all()) if (record.user === user) await this.remove(record.id);
  }

  async #all() {
    return (await this.#run("readonly", (store) => store.getAll())) ?? [];
  }

  /**
   * Return the result of the request that `work(store)` makes, or undefined if the browser cannot do it.
   *
   * The browser runs the transactions of a store in the order of the calls, so that no change overtakes its record.
   */
  async #run(mode, work) {
    try {
      database ??= open();
      return await transaction(await database, this.#name, mode, work);
    } catch (error) {
      console.info("The browser does not keep uploads over a reload:", error);
      database = null;
      return undefined;
    }
  }
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, VERSION);
    request.onupgradeneeded = () => {
      for (const name of STORES) request.result.createObjectStore(name, { keyPath: "id" });
    };
    request.onerror = () => reject(request.error);
    request.onsuccess = () => resolve(request.result);
  });
}

function transaction(opened, name, mode, work) {
  return new Promise((resolve, reject) => {
    const running = opened.transaction(name, mode);
    const request = work(running.objectStore(name));
    running.oncomplete = () => resolve(request.result);
    running.onabort = () => reject(running.error);
  });
}
