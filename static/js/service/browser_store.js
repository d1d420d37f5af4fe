/**
 * Records, also with files, that the browser keeps on the device (IndexedDB), so that a reload or a crash loses nothing.
 *
 * Browsers may refuse to keep anything, for example in private windows or on a full disk. What a record is kept for goes
 * on without it, so no method throws.
 */

/**
 * The stores of each database. A store cannot be added to a database while a tab with an earlier version of this file
 * has it open, so new stores get a database of their own.
 */
const DATABASES = { picshare: ["uploads", "drafts"], "picshare.offline": ["pending", "feeds", "shared"] };
const VERSION = 1;
/** Limits of one store, the first by default; a record that does not fit is not kept. */
const MAX_RECORDS = 20;
const MAX_BYTES = 200_000_000;
/** Records are removed after this time. */
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;

/** The promises of the databases that are open, by name. */
const databases = new Map();

export class BrowserStore {
  #name;
  #maxRecords;

  constructor(name, { maxRecords = MAX_RECORDS } = {}) {
    this.#name = name;
    this.#maxRecords = maxRecords;
  }

  /**
   * Keep a record `{id, user, size, savedAt, …}`: the size in bytes of its file, the time in milliseconds. It replaces one with the same id.
   *
   * Returns whether the browser keeps it.
   */
  async add(record) {
    let fits = false;
    const done = await this.#run("readwrite", (store) => {
      const all = store.getAll();
      all.onsuccess = () => {
        const others = all.result.filter(({ id }) => id !== record.id);
        const bytes = others.reduce((sum, { size }) => sum + size, record.size);
        fits = others.length < this.#maxRecords && bytes <= MAX_BYTES;
        if (fits) store.put(record);
      };
      return all;
    });
    return done !== undefined && fits;
  }

  /** Keep a record in place of the one with its id; returns whether the browser does. */
  async replace(record) {
    return (await this.#run("readwrite", (store) => store.put(record))) !== undefined;
  }

  /** Return a record, or null. */
  async get(id) {
    return (await this.#run("readonly", (store) => store.get(id))) ?? null;
  }

  /** Change some fields of a record, if it is there. */
  async update(id, fields) {
    await this.change(id, (record) => ({ ...record, ...fields }));
  }

  /** Keep what `decide(record)` returns in place of a record, or remove it if that is null; returns what is left. */
  async change(id, decide) {
    let left = null;
    await this.#run("readwrite", (store) => {
      const found = store.get(id);
      found.onsuccess = () => {
        left = found.result ? decide(found.result) : null;
        if (left) store.put(left);
        else store.delete(id);
      };
      return found;
    });
    return left;
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

  /** Remove every record that is of another user. */
  async removeOthers(user) {
    for (const record of await this.#all()) if (record.user !== user) await this.remove(record.id);
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
    const database = Object.keys(DATABASES).find((name) => DATABASES[name].includes(this.#name));
    try {
      if (!databases.has(database)) databases.set(database, open(database));
      return await transaction(await databases.get(database), this.#name, mode, work);
    } catch (error) {
      console.info("The browser does not keep this over a reload:", this.#name, error);
      databases.delete(database);
      return undefined;
    }
  }
}

function open(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => {
      for (const store of DATABASES[name]) request.result.createObjectStore(store, { keyPath: "id" });
    };
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      // A later version of the page may need another form of the database; this tab must not hold it up.
      request.result.onversionchange = () => {
        request.result.close();
        databases.delete(name);
      };
      resolve(request.result);
    };
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
