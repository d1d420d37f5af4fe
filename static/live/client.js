/** What a page holds: listeners and readers here, and a place among the tabs that share one connection. */

import { Alarm } from "./alarm.js";
import { Leader } from "./leader.js";
import { Membership } from "./membership.js";
import { Readers } from "./readers.js";
import { Streams } from "./streams.js";
import { TICK_MS, Wakefulness } from "./wakefulness.js";

/** Tabs that speak differently do not share; raise this with every change of their messages. */
const DIALECT = 1;
/** A leader that leaves two questions unanswered, each for so many milliseconds, is taken for frozen. */
const PATIENCE_MS = 1000;
/** While somebody looks at this page, the leader is heard of at least so often. */
const UNHEARD_MS = 2 * TICK_MS;

export class LiveClient extends EventTarget {
  #ticket;
  #name = null;
  #started = false;
  #streams = new Streams();
  #readers = new Readers(() => this.#sayHereSoon());
  #wakefulness;
  #membership = null;
  /** The leader, if it is this tab; `#leaderId` is whoever it is. */
  #leader = null;
  #leaderId = null;
  #term = 0;
  #leaderHeardAt = 0;
  #unanswered = 0;
  #patience = new Alarm();
  #reminder = new Alarm();
  #saying = false;
  state = "stopped";

  /** `ticket()` resolves to `{token, url}`, for one connection; it is called in the leading tab only. */
  constructor({ ticket }) {
    super();
    this.#ticket = ticket;
    this.#wakefulness = new Wakefulness({
      woke: () => this.#demand("wake"),
      lostNetwork: () => this.#leader?.lostNetwork(),
      away: () => this.#leave(),
      back: () => this.#enter(),
      tick: () => this.#tick(),
    });
  }

  /**
   * Connect and stay connected until `stop`.
   *
   * `person` is whose connection it is: their tabs share one, and nobody else's hears anything of it. Without it
   * the connection is this tab's own.
   */
  start({ person = null } = {}) {
    if (this.#started) return;
    this.#started = true;
    this.#name = person === null ? null : `picshare.live.${DIALECT}.${person}`;
    this.#wakefulness.start();
    this.#enter();
  }

  /** Disconnect, and forget every position: whoever signs in next begins anew. */
  stop() {
    if (!this.#started) return;
    this.#started = false;
    this.#wakefulness.stop();
    this.#leave();
    this.#streams.forget();
    this.#term = 0;
    this.#change({ state: "stopped", reason: "" });
  }

  /** Connect at once instead of waiting; also brings a connection back that the server had ended for good. */
  retryNow() {
    if (this.#started) this.#demand("retry");
  }

  /** Call `listener({data})` for each publication of a stream; returns a function that stops it. */
  on(stream, listener) {
    return this.#streams.on(stream, listener);
  }

  /** Call `listener()` when publications of a stream were missed that cannot be told any more. */
  onGap(stream, listener) {
    return this.#streams.onGap(stream, listener);
  }

  /**
   * Say up to where what was just fetched shows a stream, by the `stream` of the answer. If more was published between
   * that and the first connection, the gap listeners are called.
   */
  fetched(stream, position) {
    if (position) this.#streams.fetched(stream, position);
  }

  /**
   * Subscribe to a channel, now and after every interruption.
   *
   * `publication(data)` is called for each publication, `resumed()` when some may have been missed (the channel has
   * no memory: fetch what counts), `failed({code, message})` when the server refuses, after which nothing comes any
   * more. Returns a function that ends it.
   */
  subscribe(channel, handlers) {
    return this.#readers.add(channel, handlers, { late: this.state !== "live" });
  }

  #enter() {
    if (this.#membership) return;
    this.#membership = new Membership(this.#name, {
      entered: () => this.#sayHere(),
      elected: () => this.#lead(),
      deposed: () => this.#follow(),
      received: (message) => this.#received(message),
    });
    this.#membership.enter();
    this.#change({ state: "connecting" });
  }

  #leave() {
    this.#follow();
    this.#patience.clear();
    this.#reminder.clear();
    this.#membership?.leave();
    this.#membership = null;
    this.#leaderId = null;
  }

  #lead() {
    this.#patience.clear();
    this.#leader = new Leader({
      membership: this.#membership,
      streams: this.#streams,
      ticket: this.#ticket,
      // Elections are one after the other, so the clock that all tabs have in common counts them.
      term: Math.max(this.#term + 1, Date.now()),
    });
    this.#leader.start();
  }

  #follow() {
    this.#leader?.end();
    this.#leader = null;
  }

  #received(message) {
    if (Leader.hears(message)) this.#leader?.receive(message);
    else if (message.type === "lead") this.#heardLeader(message);
    else if (message.from === this.#leaderId) this.#heard(message);
  }

  #heardLeader({ from, term, status, positions }) {
    if (term < this.#term) return; // it was replaced and does not know yet
    this.#term = term;
    if (from !== this.#membership.id) this.#follow();
    const elected = from !== this.#leaderId;
    this.#leaderId = from;
    this.#answered();
    this.#streams.adopt(positions);
    if (elected) this.#readers.interrupted();
    if (elected) this.#sayHere();
    // Whoever opens one more tab, or comes back to one, wants to be connected.
    if (elected && status.state === "stopped") this.retryNow();
    if (status.state !== this.state) this.#changed(status);
  }

  #heard(message) {
    this.#answered();
    const { type, channel } = message;
    if (type === "state") this.#changed(message.status);
    else if (type === "step") this.#stepped(message);
    else if (type === "publication") this.#readers.published(channel, message.data);
    else if (type === "joined") this.#readers.joined(channel, message.data);
    else if (type === "refused") this.#readers.refused(channel, message.error);
  }

  /** A step that begins beyond what this tab has shows that it was away; the leader tells what lies between. */
  #stepped({ stream, step }) {
    if (!this.#streams.take(stream, step)) this.#sayHere();
  }

  /** Tell the leader who is here, once for all that changes in this turn. */
  #sayHereSoon() {
    if (this.#saying) return;
    this.#saying = true;
    queueMicrotask(() => {
      this.#saying = false;
      if (this.#leaderId) this.#sayHere();
    });
  }

  #sayHere() {
    this.#demand("here", { channels: this.#readers.wanted(), positions: this.#streams.positions() });
  }

  /** Say something that the leader answers. */
  #demand(type, body = {}) {
    this.#membership?.post({ type, to: this.#leaderId, ...body });
    if (!this.#leader) this.#patience.set(PATIENCE_MS, () => this.#missLeader());
  }

  #answered() {
    this.#leaderHeardAt = Date.now();
    this.#unanswered = 0;
    this.#patience.clear();
  }

  /** Ask once more, since the answer may wait behind whatever kept this tab busy; then take its place. */
  #missLeader() {
    if (!this.#wakefulness.watched) return; // waking up asks again
    this.#unanswered++;
    if (this.#unanswered === 1) this.#demand("ask");
    else this.#membership?.seize();
  }

  #tick() {
    const unheard = Date.now() - this.#leaderHeardAt >= UNHEARD_MS;
    if (!this.#leader && unheard) this.#demand("ask");
  }

  #changed(status) {
    // The leader may be in the background, where its own timer runs late; being asked, it does what is due.
    this.#reminder.clear();
    if (status.retryInMs && !this.#leader) this.#reminder.set(status.retryInMs + 100, () => this.#demand("ask"));
    this.#change(status);
  }

  #change(status) {
    this.state = status.state;
    if (status.state !== "live") this.#readers.interrupted();
    this.dispatchEvent(new CustomEvent("state", { detail: status }));
  }
}
