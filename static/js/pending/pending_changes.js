/**
 * What the user does without a connection: likes, saved photos, follows and comments, kept until the server has them.
 *
 * The events are "change", "sent" {record, result} and "refused" {record}. sending.js describes the records.
 */

import { errorFromProblem, idempotencyKey } from "../service/api.js";
import { retry } from "../service/retry.js";
import { t } from "../elements/texts.js";
import { KeptRecords } from "./kept_records.js";
import { CHANNEL, mayPass, sendAll } from "./sending.js";

/** The name under which the service worker is asked to send, as in worker/background_sync.js. */
const SYNC_TAG = "picshare.pending";

export class PendingChanges extends EventTarget {
  #app;
  #records = new KeptRecords();
  #channel = openChannel();
  #stopped = new AbortController();
  /** The records of the user, the oldest first. */
  all = [];

  constructor(app) {
    super();
    this.#app = app;
    if (this.#channel) this.#channel.onmessage = ({ data }) => this.#reported(data);
    app.live.addEventListener("state", ({ detail }) => detail.state === "live" && this.send());
  }

  /** Go on with what the browser has kept for the user who is signed in now. */
  async begin() {
    await this.#load();
    this.send();
  }

  /** Stop when another user signs in; what is pending stays for its owner. */
  clear() {
    this.#stopped.abort();
    this.all = [];
    this.dispatchEvent(new Event("change"));
  }

  /** Remove what the browser keeps of a user. */
  async forget(user) {
    await this.#records.removeAll(user);
  }

  /**
   * Switch a state on or off with PUT or DELETE; return the response, or undefined if it is sent later.
   *
   * `subject` names the state, such as "like:<id>", and `text` says what is done. Opposite changes that were never sent cancel.
   */
  async switch({ subject, path, on, text }) {
    const record = { subject, path, on, text, method: on ? "PUT" : "DELETE" };
    const [waiting] = this.of(subject);
    if (!waiting) return this.#sendOrKeep(record);
    let isThere = false;
    await this.#records.change(waiting.id, (found) => {
      isThere = true;
      return reconsidered(found, record);
    });
    if (!isThere) return this.#sendOrKeep(record); // it was sent meanwhile
    await this.#changed(subject);
    this.send();
    return undefined;
  }

  /** Create something with POST, each once and in order; return the response, or undefined if it is sent later. */
  async create({ subject, path, body, text }) {
    const record = { subject, path, body, text, method: "POST" };
    if (this.of(subject).length === 0) return this.#sendOrKeep(record);
    await this.#keep({ ...record, id: idempotencyKey() });
    this.send();
    return undefined;
  }

  /** Return the records about a subject that wait to be sent. */
  of(subject) {
    return this.all.filter((record) => record.subject === subject && !record.error);
  }

  /** Return the state that the user has chosen for a subject; undefined if nothing waits to be sent. */
  wanted(subject) {
    return this.of(subject).at(-1)?.on;
  }

  /** Show what is pending about a photo in its fields. */
  apply(photo) {
    const liked = this.wanted(`like:${photo.id}`);
    if (liked !== undefined && liked !== photo.liked) Object.assign(photo, { liked, likes: Math.max(0, photo.likes + (liked ? 1 : -1)) });
    const saved = this.wanted(`save:${photo.id}`);
    if (saved !== undefined) photo.saved = saved;
  }

  /** Send a refused record again, also one that may have arrived. */
  async tryAgain({ id, subject }) {
    await this.#records.change(id, (found) => ({ ...found, error: null, tried: null }));
    await this.#changed(subject);
    this.send();
  }

  /** Give up a record; the state that it was about is fetched again. */
  async drop(record) {
    await this.#records.remove(record.id);
    await this.#changed(record.subject);
    this.#refetch(record);
  }

  /** Send what is pending now, and repeat that until there is nothing left. */
  async send() {
    this.#stopped.abort();
    const user = this.#app.session.id;
    if (!user || this.all.every(({ error }) => error)) return;
    this.#stopped = new AbortController();
    const report = (type, record, result) => {
      const message = { type, record, result };
      this.#channel?.postMessage(message);
      this.#reported(message);
    };
    const send = async () => {
      // Without a network nothing is tried, so that what was never sent can still be taken back.
      if (!navigator.onLine) throw errorFromProblem(0, "");
      await sendAll({ api: this.#app.api, records: this.#records, user, report });
    };
    try {
      await retry(send, { isTemporary: (error) => error.status !== 401 && mayPass(error), waiting: () => {}, signal: this.#stopped.signal });
    } catch {
      // The session has ended, another attempt has begun, or the page is of another user: the records stay.
    }
  }

  async #sendOrKeep(record) {
    const id = idempotencyKey();
    // Without a network nothing can have arrived.
    const tried = navigator.onLine ? Date.now() : null;
    if (tried) {
      try {
        const { method, path, body } = record;
        return await this.#app.api.request(method, path, { body, key: method === "POST" ? id : undefined });
      } catch (error) {
        if (!error.isOutage) throw error;
      }
    }
    await this.#keep({ ...record, id, tried });
    this.send();
    return undefined;
  }

  async #keep(record) {
    const former = this.all.filter(({ subject, error, method }) => subject === record.subject && error && method !== "POST");
    for (const { id } of former) await this.#records.remove(id);
    const whole = { user: this.#app.session.id, savedAt: Date.now(), size: 0, revision: 0, error: null, tried: null, ...record };
    const kept = await this.#records.add(whole);
    if (!kept) this.#app.toasts.show(t("Your browser keeps nothing. Leave this page open until there is a connection."));
    await this.#changed(record.subject);
    askForSync();
  }

  async #load() {
    const user = this.#app.session.id;
    const all = user ? await this.#records.list(user) : [];
    if (user !== this.#app.session.id) return;
    this.all = all;
    this.dispatchEvent(new Event("change"));
  }

  async #changed(subject) {
    this.#channel?.postMessage({ type: "changed", record: { user: this.#app.session.id, subject } });
    await this.#load();
    this.#redraw(subject);
  }

  async #reported({ type, record, result }) {
    if (record.user !== this.#app.session.id) return;
    await this.#load();
    if (type === "sent") this.#sent(record, result);
    if (type === "refused") this.#refetch(record);
    if (type !== "changed") this.dispatchEvent(new CustomEvent(type, { detail: { record, result } }));
    this.#redraw(record.subject);
  }

  #sent({ subject, on }, result) {
    const [kind, id] = subject.split(":");
    if (kind === "like" && result) this.#app.photos.patch(id, { liked: result.liked, likes: result.likes });
    if (kind === "save") this.#app.photos.patch(id, { saved: on });
  }

  /** Have every place that shows a photo draw its buttons again. */
  #redraw(subject) {
    const [kind, id] = subject.split(":");
    if (kind === "like" || kind === "save") this.#app.photos.patch(id, {});
  }

  async #refetch({ subject }) {
    const [kind, id] = subject.split(":");
    if (kind !== "like" && kind !== "save") return;
    try {
      const { liked, likes, saved } = await this.#app.api.get(`/photos/${id}`);
      this.#app.photos.patch(id, { liked, likes, ...(saved === undefined ? {} : { saved }) });
    } catch (error) {
      if (error.status === 404) this.#app.photos.remove(id);
    }
  }
}

/** Return a record that waits with another choice, or null if that is the state from before, of which nothing was sent. */
function reconsidered(found, { on, method, text }) {
  if (found.on === on) return found;
  return found.tried ? { ...found, on, method, text, revision: found.revision + 1 } : null;
}

function openChannel() {
  try {
    return new BroadcastChannel(CHANNEL);
  } catch {
    // The browser blocks storage; then no other tab shares anything with this one.
    return null;
  }
}

/** Ask the browser to have the service worker send, should the page be closed before there is a connection. */
async function askForSync() {
  try {
    const registration = await navigator.serviceWorker?.getRegistration();
    await registration?.sync?.register(SYNC_TAG);
  } catch {
    // The browser has no Background Sync, or does not allow it: the next page sends.
  }
}
