/**
 * The one live connection: connects, notices when it has died, comes back, and asks for what was missed.
 *
 * It knows neither the page nor other tabs. `tell(type, body)` hears what happens:
 *
 *     state        {status: {state, retryInMs?, reason?}}; the states are those of `LiveClient`
 *     step         {stream, step}: a stream has moved, see position.js
 *     publication  {channel, data}
 *     joined       {channel, data?}: subscribed, for the first time or again, and what the channel begins with
 *     refused      {channel, error}: the server denies it
 */

import { Alarm } from "./alarm.js";
import { backoff, isObject, isTemporary, mayReconnect, PING_GRACE_MS, renewIn, socketUrl, STEADY_MS } from "./protocol.js";
import { Position } from "./position.js";
import { Subscriptions } from "./subscriptions.js";
import { Wire } from "./wire.js";

/** The close code for a token that the server does not take. */
const INVALID_TOKEN = 3500;
/** A ticket may have run out on its way; so many of them in a row have not. */
const STALE_TICKETS = 3;
/** Give up an attempt that has led nowhere after so many milliseconds. */
const CONNECT_WITHIN_MS = 10_000;
/** A page that wakes up asks a server that was silent for longer than the first, and waits as long as the second. */
const QUIET_MS = 2000;
const PROBE_WITHIN_MS = 4000;
/** However often a page wakes up, attempts begin no closer together than this. */
const APART_MS = 1000;

export class Connection {
  #ticket;
  #tell;
  #streams = new Map();
  #subscriptions;
  #wire = null;
  /** Grows with every attempt and end, so that a ticket that an abandoned attempt waited for is not used. */
  #generation = 0;
  #attempt = 0;
  /** By a clock that nobody sets: when the last attempt began, and the end of what the server asked to wait. */
  #attemptedAt = 0;
  #notBefore = 0;
  #liveSince = null;
  #heardAt = 0;
  #pingMs = 0;
  #retry = new Alarm();
  #deadline = new Alarm();
  #renewal = new Alarm();
  status = { state: "connecting" };

  /** `positions` {stream: {epoch, offset}} is where to go on from. */
  constructor({ ticket, positions, tell }) {
    this.#ticket = ticket;
    this.#tell = tell;
    for (const [name, position] of Object.entries(positions)) this.#stream(name).move(position);
    this.#subscriptions = new Subscriptions({
      send: (...command) => this.#wire?.send(...command),
      joined: (channel, data) => this.#tell("joined", { channel, data }),
      refused: (channel, error) => this.#tell("refused", { channel, error }),
    });
  }

  /** Connect and stay connected until `end`. */
  start() {
    this.#connect();
  }

  /** Disconnect without a word. */
  end() {
    this.#tell = () => {};
    this.#wire?.closeGently();
    this.#wire = null;
    this.#drop();
    this.#subscriptions.clear();
  }

  /** Be subscribed to exactly these channels. */
  want(names) {
    this.#subscriptions.want(names);
  }

  isSubscribed(channel) {
    return this.#subscriptions.isLive(channel);
  }

  /** Connect at once instead of waiting; also when the server had ended it for good. */
  retryNow() {
    if (this.#isWaiting() || this.status.state === "stopped") this.#connect();
  }

  /** Somebody looks at a page again, or the network is back: connect now, and do not trust an old socket. */
  wake() {
    this.nudge();
    if (this.#isWaiting()) {
      this.#attempt = 0;
      const inMs = Math.max(this.#attemptedAt + APART_MS, this.#notBefore) - performance.now();
      if (inMs <= 0) this.#connect();
      else this.#retry.set(inMs, () => this.#connect());
    } else if (this.status.state === "live" && Date.now() - this.#heardAt > QUIET_MS) {
      this.#wire.send("ping", {});
      this.#deadline.set(PROBE_WITHIN_MS, () => this.#interrupted("no answer"));
    }
  }

  /** Do what is overdue. */
  nudge() {
    for (const alarm of [this.#deadline, this.#renewal, this.#retry]) alarm.nudge();
    this.#subscriptions.nudge();
  }

  /** The browser knows of no network. */
  lostNetwork() {
    if (this.status.state === "live" || this.status.state === "connecting") this.#interrupted("no network");
  }

  #isWaiting() {
    return this.status.state === "waiting" || this.status.state === "offline";
  }

  #stream(name) {
    if (!this.#streams.has(name)) this.#streams.set(name, new Position());
    return this.#streams.get(name);
  }

  async #connect() {
    this.#drop();
    const generation = this.#generation;
    this.#attemptedAt = performance.now();
    this.#deadline.set(CONNECT_WITHIN_MS, () => this.#interrupted("no answer"));
    this.#change("connecting");
    if (generation !== this.#generation) return;
    try {
      const { token, url } = await this.#ticket();
      if (generation === this.#generation) this.#dial(url, token);
    } catch (error) {
      if (generation === this.#generation) this.#withoutTicket(error, "no ticket");
    }
  }

  #withoutTicket(error, reason) {
    if (error.status === 401 || error.status === 403) this.#halt("signed out");
    else this.#interrupted(reason, (Number(error.retryAfter) || 0) * 1000);
  }

  #dial(url, token) {
    this.#wire = new Wire(socketUrl(url), {
      opened: () => this.#hello(token),
      heard: () => this.#heard(),
      pushed: (push) => this.#pushed(push),
      closed: (code, reason) => this.#closed(code, reason),
    });
  }

  #hello(token) {
    const subs = {};
    for (const [name, position] of this.#streams) if (position.known) subs[name] = position.request();
    this.#wire.send("connect", { token, name: "picshare-web", subs }, {
      answered: (result) => this.#connected(result),
      failed: (error) => (isTemporary(error) ? this.#interrupted(error.message) : this.#halt(error.message)),
    });
  }

  #connected(result) {
    const wire = this.#wire;
    this.#liveSince = Date.now();
    this.#notBefore = 0;
    this.#pingMs = result.ping > 0 ? result.ping * 1000 : 0;
    wire.pongs = result.pong === true;
    this.#watchPings();
    if (result.expires) this.#renewLater(result.ttl);
    this.#change("live");
    for (const [name, answer] of Object.entries(isObject(result.subs) ? result.subs : {})) {
      const step = this.#stream(name).resume(answer);
      if (step) this.#tell("step", { stream: name, step });
    }
    if (wire === this.#wire) this.#subscriptions.connected();
  }

  #heard() {
    this.#heardAt = Date.now();
    if (this.status.state === "live") this.#watchPings();
  }

  #pushed({ channel, pub, unsubscribe, disconnect }) {
    const stream = this.#streams.get(channel);
    if (pub && stream) {
      const step = stream.follow(pub);
      if (step) this.#tell("step", { stream: channel, step });
    } else if (pub) {
      this.#tell("publication", { channel, data: pub.data });
    } else if (unsubscribe) {
      // A server-side stream that ended in the middle comes back, with what was missed, by connecting again.
      if (stream) this.#interrupted("stream ended");
      else this.#subscriptions.ended(channel, unsubscribe);
    } else if (disconnect) {
      this.#closed(disconnect.code, disconnect.reason);
    }
  }

  #closed(code, reason) {
    this.#forgive();
    // Whether the session is over, the next ticket will tell.
    const staleTicket = code === INVALID_TOKEN && this.#attempt < STALE_TICKETS;
    if (mayReconnect(code) || staleTicket) this.#interrupted(reason || `closed (${code})`);
    else this.#halt(reason || `closed (${code})`);
  }

  #renewLater(ttl) {
    const inMs = renewIn(ttl);
    if (inMs !== null) this.#renewal.set(inMs, () => this.#renew());
  }

  async #renew() {
    const wire = this.#wire;
    try {
      const { token } = await this.#ticket();
      if (wire !== this.#wire) return;
      wire.send("refresh", { token }, {
        answered: (result) => result.expires && this.#renewLater(result.ttl),
        failed: () => this.#interrupted("session not renewed"),
      });
    } catch (error) {
      if (wire === this.#wire) this.#withoutTicket(error, "session not renewed");
    }
  }

  #watchPings() {
    if (this.#pingMs) this.#deadline.set(this.#pingMs + PING_GRACE_MS, () => this.#interrupted("no ping"));
    else this.#deadline.clear();
  }

  #interrupted(reason, atLeastMs = 0) {
    this.#forgive();
    this.#drop();
    const retryInMs = Math.max(backoff(this.#attempt++), atLeastMs);
    this.#notBefore = performance.now() + atLeastMs;
    this.#retry.set(retryInMs, () => this.#connect());
    // Without a network attempts go on all the same: a server on this very machine is still there.
    this.#change(navigator.onLine ? "waiting" : "offline", { reason, retryInMs });
  }

  /** Count attempts anew after a connection that lasted; one that did not has failed, too, or would be stormed. */
  #forgive() {
    if (this.#liveSince !== null && Date.now() - this.#liveSince >= STEADY_MS) this.#attempt = 0;
  }

  /** Stay disconnected until somebody asks; positions are kept. */
  #halt(reason) {
    this.#drop();
    this.#change("stopped", { reason });
  }

  /** Let go of the wire and all that belongs to this attempt. */
  #drop() {
    this.#generation++;
    this.#liveSince = null;
    for (const alarm of [this.#retry, this.#deadline, this.#renewal]) alarm.clear();
    const wire = this.#wire;
    this.#wire = null;
    wire?.close();
    this.#subscriptions.disconnected();
  }

  #change(state, detail = {}) {
    this.status = { state, ...detail };
    this.#tell("state", { status: this.status });
  }
}
