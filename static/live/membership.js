/**
 * The membership of one tab in the group of tabs that share a connection: messages, and the election of a leader.
 *
 * Everything that must end with a tab is a lock that it holds, because the browser releases the locks of a tab at once
 * when it is closed or crashes. The lock `<name>.leader` makes its holder the leader, and the others wait in the lock's
 * queue. A lock with a member's own id shows the leader how long that member exists. Messages go over a broadcast
 * channel, which keeps the order of each sender.
 *
 * `events`: `joined()`, `elected()`, `lost()` (another tab has stolen the leadership), `received(message)`. None is called
 * after `leave()`.
 */
export class Membership {
  id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  #name;
  #events;
  #bus = null;
  #isLeader = false;
  #left = new AbortController();
  #queue = new AbortController();
  /** The browser holds this tab's locks until this promise resolves. */
  #untilLeft = new Promise((resolve) => this.#left.signal.addEventListener("abort", resolve));

  /** `name` identifies the group; null for a tab that shares with no other. */
  constructor(name, events) {
    this.#name = name;
    this.#events = events;
  }

  /** Join the group. Where the browser does not support sharing, every tab leads a group of its own. */
  async join() {
    let shared;
    try {
      shared = await this.#joinGroup();
    } catch {
      shared = false; // The browser has the APIs but denies them, for example to a page without storage.
    }
    if (this.#left.signal.aborted) return;
    if (!shared) this.#bus = null;
    this.#events.joined();
    if (shared) this.#requestLeadership({ signal: this.#queue.signal });
    else this.#events.elected();
  }

  /** Release every lock and stop sending and receiving messages. */
  leave() {
    this.#left.abort();
    this.#queue.abort();
    this.#bus?.close();
  }

  /** Send `{type, to?, …}` to one member, or to all, this one included. */
  post(message) {
    if (this.#left.signal.aborted) return;
    const sent = { ...message, from: this.id };
    if (sent.to !== this.id) this.#bus?.postMessage(sent);
    if (!sent.to || sent.to === this.id) this.#events.received(sent);
  }

  /** Take the leadership from the current leader. */
  steal() {
    if (!this.#bus) return;
    this.#queue.abort();
    this.#requestLeadership({ steal: true });
  }

  /** Call `listener()` once when another member has left. */
  onMemberLeft(id, listener) {
    if (id === this.id) return;
    const lock = navigator.locks.request(this.#lock(id), { signal: this.#left.signal }, listener);
    lock.catch(() => {}); // This tab has left first.
  }

  /** Join the broadcast channel; returns false if the browser does not support sharing. */
  async #joinGroup() {
    if (this.#name === null || !navigator.locks || !globalThis.BroadcastChannel) return false;
    await new Promise((resolve, reject) => {
      const held = navigator.locks.request(this.#lock(this.id), { signal: this.#left.signal }, () => {
        resolve();
        return this.#untilLeft;
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

  #requestLeadership(options) {
    const lead = () => {
      if (this.#left.signal.aborted) return undefined;
      this.#isLeader = true;
      this.#events.elected();
      return this.#untilLeft;
    };
    navigator.locks.request(this.#lock("leader"), options, lead).catch(() => this.#lockLost());
  }

  /** Queue again after the lock was stolen. A request that this tab itself has withdrawn fails in the same way. */
  #lockLost() {
    if (this.#left.signal.aborted || !this.#isLeader) return;
    this.#isLeader = false;
    this.#events.lost();
    this.#queue = new AbortController();
    this.#requestLeadership({ signal: this.#queue.signal });
  }

  #lock(holder) {
    return `${this.#name}.${holder}`;
  }
}
