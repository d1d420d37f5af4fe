/**
 * One stay of a tab among the tabs that share a connection: speaks with the others, and is elected to lead them.
 *
 * Everything that ends with a tab is a lock that it holds, because the browser gives up the locks of a tab that is
 * closed or has crashed, at once. The lock `<name>.leader` makes one of them the leader and lets the others wait in a
 * queue; a lock with a member's own id tells the leader how long that member is there. Messages go over a broadcast
 * channel, which keeps the order of each sender.
 *
 * `events`: `entered()`, `elected()`, `deposed()` (another took the leader's place by force), `received(message)`.
 * None is called after `leave()`.
 */
export class Membership {
  id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  #name;
  #events;
  #bus = null;
  #leads = false;
  #left = new AbortController();
  #queue = new AbortController();
  /** What the browser holds the locks for. */
  #stay = new Promise((resolve) => this.#left.signal.addEventListener("abort", resolve));

  /** `name` is what the members have in common; null for a tab that shares with nobody. */
  constructor(name, events) {
    this.#name = name;
    this.#events = events;
  }

  /** Join the others; a browser that cannot share makes every tab the leader of itself. */
  async enter() {
    let shared;
    try {
      shared = await this.#share();
    } catch {
      shared = false; // the browser has the parts and denies them, as to a page without storage
    }
    if (this.#left.signal.aborted) return;
    if (!shared) this.#bus = null;
    this.#events.entered();
    if (shared) this.#stand({ signal: this.#queue.signal });
    else this.#events.elected();
  }

  /** Give up every lock and fall silent. */
  leave() {
    this.#left.abort();
    this.#queue.abort();
    this.#bus?.close();
  }

  /** Send `{type, to?, …}` to all members or to one, oneself included. */
  post(message) {
    if (this.#left.signal.aborted) return;
    const sent = { ...message, from: this.id };
    if (sent.to !== this.id) this.#bus?.postMessage(sent);
    if (!sent.to || sent.to === this.id) this.#events.received(sent);
  }

  /** Take the leader's place by force. */
  seize() {
    if (!this.#bus) return;
    this.#queue.abort();
    this.#stand({ steal: true });
  }

  /** Call `listener()` once when another member is gone. */
  whenGone(id, listener) {
    if (id === this.id) return;
    const lock = navigator.locks.request(this.#lock(id), { signal: this.#left.signal }, listener);
    lock.catch(() => {}); // this one was gone before
  }

  /** Return whether the browser lets tabs share, and if so, be among them. */
  async #share() {
    if (this.#name === null || !navigator.locks || !globalThis.BroadcastChannel) return false;
    await new Promise((resolve, reject) => {
      const held = navigator.locks.request(this.#lock(this.id), { signal: this.#left.signal }, () => {
        resolve();
        return this.#stay;
      });
      held.catch(reject);
    });
    if (this.#left.signal.aborted) return false;
    this.#bus = new BroadcastChannel(this.#name);
    this.#bus.onmessage = ({ data }) => {
      if (!this.#left.signal.aborted && (!data.to || data.to === this.id)) this.#events.received(data);
    };
    return true;
  }

  #stand(options) {
    const lead = () => {
      if (this.#left.signal.aborted) return undefined;
      this.#leads = true;
      this.#events.elected();
      return this.#stay;
    };
    navigator.locks.request(this.#lock("leader"), options, lead).catch(() => this.#lost());
  }

  /** Queue again after the lock was taken away; a place in the queue that was given up is no loss. */
  #lost() {
    if (this.#left.signal.aborted || !this.#leads) return;
    this.#leads = false;
    this.#events.deposed();
    this.#queue = new AbortController();
    this.#stand({ signal: this.#queue.signal });
  }

  #lock(holder) {
    return `${this.#name}.${holder}`;
  }
}
