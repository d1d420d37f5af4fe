/** The live client of one tab: its listeners and subscribers, and its part in the group of tabs with one connection. */

import { Leader } from "./leader.js";
import { LocalSubscribers } from "./local_subscribers.js";
import { Membership } from "./membership.js";
import { PageLifecycle, TICK_MS } from "./page_lifecycle.js";
import { Streams } from "./streams.js";
import { Timer } from "./timer.js";

/** The version of the messages between tabs. Tabs of different versions do not share; increase it with every change. */
const MESSAGES_VERSION = 2;
/** A leader that leaves two requests unanswered, each for this many milliseconds, is considered frozen. */
const LEADER_TIMEOUT_MS = 1000;
/** While this page is visible, it pings a leader that has been silent for this long. */
const LEADER_SILENCE_MS = 2 * TICK_MS;

export class LiveClient extends EventTarget {
  #ticket;
  #groupName = null;
  #started = false;
  #streams = new Streams();
  #subscribers = new LocalSubscribers(() => this.#syncSoon());
  #lifecycle;
  #membership = null;
  /** The leader's work, if this tab is the leader. */
  #leader = null;
  /** The id of the leading tab, which may be this one. */
  #leaderId = null;
  #term = 0;
  #leaderSeenAt = 0;
  #unanswered = 0;
  #leaderTimeout = new Timer();
  #retryReminder = new Timer();
  #syncScheduled = false;
  state = "stopped";

  /** `ticket()` resolves to `{token, url}` for one connection; only the leading tab calls it. */
  constructor({ ticket }) {
    super();
    this.#ticket = ticket;
    this.#lifecycle = new PageLifecycle({
      woke: () => this.#request("wake"),
      lostNetwork: () => this.#leader?.lostNetwork(),
      suspended: () => this.#leaveGroup(),
      restored: () => this.#joinGroup(),
      tick: () => this.#tick(),
    });
  }

  /**
   * Connect and stay connected until `stop`.
   *
   * `user` is the id of the user. All tabs of one user share a connection, and tabs of other users receive nothing of
   * it. Without `user` the tab has a connection of its own.
   */
  start({ user = null } = {}) {
    if (this.#started) return;
    this.#started = true;
    this.#groupName = user === null ? null : `picshare.live.${MESSAGES_VERSION}.${user}`;
    this.#lifecycle.start();
    this.#joinGroup();
  }

  /** Disconnect and forget every position, so that the next user starts without them. */
  stop() {
    if (!this.#started) return;
    this.#started = false;
    this.#lifecycle.stop();
    this.#leaveGroup();
    this.#streams.reset();
    this.#term = 0;
    this.#setStatus({ state: "stopped", reason: "" });
  }

  /** Connect at once instead of waiting. It also restores a connection that the server has ended for good. */
  retryNow() {
    if (this.#started) this.#request("retry");
  }

  /** Call `listener({data})` for each publication of a stream; returns a function that removes it. */
  on(stream, listener) {
    return this.#streams.on(stream, listener);
  }

  /** Call `listener()` when publications of a stream were missed that are no longer available. */
  onGap(stream, listener) {
    return this.#streams.onGap(stream, listener);
  }

  /**
   * Note up to which position the page has fetched a stream; `position` is the `stream` of the API's response.
   *
   * If more was published between that position and the first connection, the gap listeners are called.
   */
  fetched(stream, position) {
    if (position) this.#streams.fetched(stream, position);
  }

  /**
   * Subscribe to a channel, now and after every interruption; returns a function that unsubscribes.
   *
   * `publication(data)` is called for each publication. `subscribed(data)` is called with the channel's initial data, if
   * it has any. `resumed()` is called when publications may have been missed: channels keep no history, so that the
   * page fetches what it needs. `failed({code, message})` is called when the server refuses; the subscription is then
   * over.
   */
  subscribe(channel, handlers) {
    return this.#subscribers.add(channel, handlers, { connected: this.state === "live" });
  }

  #joinGroup() {
    if (this.#membership) return;
    this.#membership = new Membership(this.#groupName, {
      joined: () => this.#sync(),
      elected: () => this.#startLeading(),
      lost: () => this.#stopLeading(),
      received: (message) => this.#received(message),
    });
    this.#membership.join();
    this.#setStatus({ state: "connecting" });
  }

  #leaveGroup() {
    this.#stopLeading();
    this.#leaderTimeout.clear();
    this.#retryReminder.clear();
    this.#membership?.leave();
    this.#membership = null;
    this.#leaderId = null;
  }

  #startLeading() {
    this.#leaderTimeout.clear();
    this.#leader = new Leader({
      membership: this.#membership,
      streams: this.#streams,
      ticket: this.#ticket,
      // Elections follow one another, so the clock that all tabs have in common gives growing terms.
      term: Math.max(this.#term + 1, Date.now()),
    });
    this.#leader.start();
  }

  #stopLeading() {
    this.#leader?.stop();
    this.#leader = null;
  }

  #received(message) {
    if (Leader.handles(message)) this.#leader?.receive(message);
    else if (message.type === "leader") this.#leaderAnnounced(message);
    else if (message.from === this.#leaderId) this.#receivedFromLeader(message);
  }

  #leaderAnnounced({ from, term, status, positions }) {
    if (term < this.#term) return; // The sender has been replaced and does not know it yet.
    this.#term = term;
    if (from !== this.#membership.id) this.#stopLeading();
    const isNew = from !== this.#leaderId;
    this.#leaderId = from;
    this.#leaderSeen();
    this.#streams.initialize(positions);
    if (isNew) this.#subscribers.interrupted();
    if (isNew) this.#sync();
    // A user who opens another tab, or returns to one, wants to be connected.
    if (isNew && status.state === "stopped") this.retryNow();
    if (status.state !== this.state) this.#statusReceived(status);
  }

  #receivedFromLeader(message) {
    this.#leaderSeen();
    const { type, channel } = message;
    if (type === "state") this.#statusReceived(message.status);
    else if (type === "update") this.#updateReceived(message);
    else if (type === "publication") this.#subscribers.published(channel, message.data);
    else if (type === "subscribed") this.#subscribers.subscribed(channel, message.data);
    else if (type === "failed") this.#subscribers.failed(channel, message.error);
  }

  /** An update that begins after this tab's position shows that the tab has missed some; the leader sends the rest. */
  #updateReceived({ stream, update }) {
    if (!this.#streams.apply(stream, update)) this.#sync();
  }

  /** Sync once for all changes of this turn of the event loop. */
  #syncSoon() {
    if (this.#syncScheduled) return;
    this.#syncScheduled = true;
    queueMicrotask(() => {
      this.#syncScheduled = false;
      if (this.#leaderId) this.#sync();
    });
  }

  /** Send the leader this tab's channels and positions. */
  #sync() {
    this.#request("sync", { channels: this.#subscribers.channels(), positions: this.#streams.positions() });
  }

  /** Send a message that the leader answers. */
  #request(type, body = {}) {
    this.#membership?.post({ type, to: this.#leaderId, ...body });
    if (!this.#leader) this.#leaderTimeout.set(LEADER_TIMEOUT_MS, () => this.#leaderTimedOut());
  }

  #leaderSeen() {
    this.#leaderSeenAt = Date.now();
    this.#unanswered = 0;
    this.#leaderTimeout.clear();
  }

  #leaderTimedOut() {
    if (!this.#lifecycle.visible) return; // The page sends another request when it wakes up.
    this.#unanswered++;
    // The first answer may be queued behind whatever kept this tab busy, so a second request decides.
    if (this.#unanswered === 1) this.#request("ping");
    else this.#membership?.steal();
  }

  #tick() {
    const silent = Date.now() - this.#leaderSeenAt >= LEADER_SILENCE_MS;
    if (!this.#leader && silent) this.#request("ping");
  }

  #statusReceived(status) {
    // The leader may be in the background with its timers delayed; a message makes it run those that are due.
    this.#retryReminder.clear();
    if (status.retryInMs && !this.#leader) {
      this.#retryReminder.set(status.retryInMs + 100, () => this.#request("ping"));
    }
    this.#setStatus(status);
  }

  #setStatus(status) {
    this.state = status.state;
    if (status.state !== "live") this.#subscribers.interrupted();
    this.dispatchEvent(new CustomEvent("state", { detail: status }));
  }
}
