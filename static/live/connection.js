/**
 * The one live connection: connects, detects a dead connection, reconnects, and recovers what was missed.
 *
 * It knows neither the page nor other tabs. It reports events by `emit(type, body)`:
 *
 *     state        {status: {state, retryInMs?, reason?}}; the states are those of `LiveClient`
 *     update       {stream, update}: a stream has advanced, see position.js
 *     publication  {channel, data}
 *     subscribed   {channel, data?}: for the first time or again, with the channel's initial data
 *     failed       {channel, error}: the server refuses the channel
 */

import { Position } from "./position.js";
import { backoff, isObject, isTemporary, mayReconnect, PING_GRACE_MS, renewIn, socketUrl, STEADY_MS } from "./protocol.js";
import { ProtocolSocket } from "./protocol_socket.js";
import { Subscriptions } from "./subscriptions.js";
import { Timer } from "./timer.js";

/** The close code for a token that the server does not accept. */
const INVALID_TOKEN = 3500;
/** One ticket may have expired on its way; after this many in a row the session itself must have ended. */
const MAX_STALE_TICKETS = 3;
/** An attempt that has not succeeded within this time is abandoned. */
const CONNECT_TIMEOUT_MS = 10_000;
/** When a page wakes up, it checks a connection that has been silent for longer than this with a ping. */
const SILENCE_MS = 2000;
const PROBE_TIMEOUT_MS = 4000;
/** Attempts begin at least this far apart, however often a page wakes up. */
const MIN_ATTEMPT_INTERVAL_MS = 1000;

export class Connection {
  #ticket;
  #emit;
  #streams = new Map();
  #subscriptions;
  #socket = null;
  /** Grows with every attempt and end, so that the ticket of an abandoned attempt is not used. */
  #generation = 0;
  #attempt = 0;
  /** On the monotonic clock: the beginning of the last attempt, and the earliest time that the server allows. */
  #attemptedAt = 0;
  #notBefore = 0;
  #liveSince = null;
  #receivedAt = 0;
  #pingMs = 0;
  #retry = new Timer();
  #deadline = new Timer();
  #renewal = new Timer();
  status = { state: "connecting" };

  /** `positions` {stream: {epoch, offset}} is where recovery begins. */
  constructor({ ticket, positions, emit }) {
    this.#ticket = ticket;
    this.#emit = emit;
    for (const [name, position] of Object.entries(positions)) this.#stream(name).set(position);
    this.#subscriptions = new Subscriptions({
      send: (...command) => this.#socket?.send(...command),
      subscribed: (channel, data) => this.#emit("subscribed", { channel, data }),
      failed: (channel, error) => this.#emit("failed", { channel, error }),
    });
  }

  /** Connect and stay connected until `stop`. */
  start() {
    this.#connect();
  }

  /** Disconnect without emitting an event. */
  stop() {
    this.#emit = () => {};
    this.#socket?.closeOnceOpen();
    this.#socket = null;
    this.#reset();
    this.#subscriptions.clear();
  }

  /** Subscribe to exactly these channels. */
  setChannels(names) {
    this.#subscriptions.setWanted(names);
  }

  isSubscribed(channel) {
    return this.#subscriptions.isLive(channel);
  }

  /** Connect at once instead of waiting; also after the server has ended the connection for good. */
  retryNow() {
    if (this.#isWaiting() || this.status.state === "stopped") this.#connect();
  }

  /** Connect now, or check an existing connection: a page is visible again, or the network is back. */
  wake() {
    this.runDueTimers();
    if (this.#isWaiting()) {
      this.#attempt = 0;
      const inMs = Math.max(this.#attemptedAt + MIN_ATTEMPT_INTERVAL_MS, this.#notBefore) - performance.now();
      if (inMs <= 0) this.#connect();
      else this.#retry.set(inMs, () => this.#connect());
    } else if (this.status.state === "live" && Date.now() - this.#receivedAt > SILENCE_MS) {
      this.#socket.send("ping", {});
      this.#deadline.set(PROBE_TIMEOUT_MS, () => this.#interrupted("no answer"));
    }
  }

  /** Run the timers that are overdue. */
  runDueTimers() {
    for (const timer of [this.#deadline, this.#renewal, this.#retry]) timer.runIfDue();
    this.#subscriptions.runDueTimers();
  }

  /** Handle the browser's report that there is no network. */
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
    this.#reset();
    const generation = this.#generation;
    this.#attemptedAt = performance.now();
    this.#deadline.set(CONNECT_TIMEOUT_MS, () => this.#interrupted("no answer"));
    this.#setState("connecting");
    // A listener may have stopped or restarted the client.
    if (generation !== this.#generation) return;
    try {
      const { token, url } = await this.#ticket();
      if (generation === this.#generation) this.#open(url, token);
    } catch (error) {
      if (generation === this.#generation) this.#ticketFailed(error, "no ticket");
    }
  }

  #ticketFailed(error, reason) {
    if (error.status === 401 || error.status === 403) this.#end("signed out");
    else this.#interrupted(reason, (Number(error.retryAfter) || 0) * 1000);
  }

  #open(url, token) {
    this.#socket = new ProtocolSocket(socketUrl(url), {
      opened: () => this.#sendConnect(token),
      received: () => this.#received(),
      pushed: (push) => this.#pushed(push),
      closed: (code, reason) => this.#closed(code, reason),
    });
  }

  #sendConnect(token) {
    const subs = {};
    for (const [name, position] of this.#streams) if (position.known) subs[name] = position.recoveryRequest();
    this.#socket.send("connect", { token, name: "picshare-web", subs }, {
      succeeded: (result) => this.#connected(result),
      failed: (error) => (isTemporary(error) ? this.#interrupted(error.message) : this.#end(error.message)),
    });
  }

  #connected(result) {
    const socket = this.#socket;
    this.#liveSince = Date.now();
    this.#notBefore = 0;
    this.#pingMs = result.ping > 0 ? result.ping * 1000 : 0;
    socket.answersPings = result.pong === true;
    this.#watchPings();
    if (result.expires) this.#renewLater(result.ttl);
    this.#setState("live");
    for (const [name, reply] of Object.entries(isObject(result.subs) ? result.subs : {})) {
      const update = this.#stream(name).applyReply(reply);
      if (update) this.#emit("update", { stream: name, update });
    }
    // A listener may have stopped the client, or started a new attempt.
    if (socket === this.#socket) this.#subscriptions.connected();
  }

  #received() {
    this.#receivedAt = Date.now();
    if (this.status.state === "live") this.#watchPings();
  }

  #pushed({ channel, pub, unsubscribe, disconnect }) {
    const stream = this.#streams.get(channel);
    if (pub && stream) {
      const update = stream.applyPublication(pub);
      if (update) this.#emit("update", { stream: channel, update });
    } else if (pub) {
      this.#emit("publication", { channel, data: pub.data });
    } else if (unsubscribe) {
      // A stream is subscribed by the server; a new connection restores it and recovers what was missed.
      if (stream) this.#interrupted("stream ended");
      else this.#subscriptions.ended(channel, unsubscribe);
    } else if (disconnect) {
      this.#closed(disconnect.code, disconnect.reason);
    }
  }

  #closed(code, reason) {
    this.#resetBackoff();
    // If the session has ended, the request for the next ticket fails with 401.
    const staleTicket = code === INVALID_TOKEN && this.#attempt < MAX_STALE_TICKETS;
    if (mayReconnect(code) || staleTicket) this.#interrupted(reason || `closed (${code})`);
    else this.#end(reason || `closed (${code})`);
  }

  #renewLater(ttl) {
    const inMs = renewIn(ttl);
    if (inMs !== null) this.#renewal.set(inMs, () => this.#renew());
  }

  async #renew() {
    const socket = this.#socket;
    try {
      const { token } = await this.#ticket();
      if (socket !== this.#socket) return;
      socket.send("refresh", { token }, {
        succeeded: (result) => result.expires && this.#renewLater(result.ttl),
        failed: () => this.#interrupted("session not renewed"),
      });
    } catch (error) {
      if (socket === this.#socket) this.#ticketFailed(error, "session not renewed");
    }
  }

  #watchPings() {
    if (this.#pingMs) this.#deadline.set(this.#pingMs + PING_GRACE_MS, () => this.#interrupted("no ping"));
    else this.#deadline.clear();
  }

  #interrupted(reason, atLeastMs = 0) {
    this.#resetBackoff();
    this.#reset();
    const retryInMs = Math.max(backoff(this.#attempt++), atLeastMs);
    this.#notBefore = performance.now() + atLeastMs;
    this.#retry.set(retryInMs, () => this.#connect());
    // Attempts continue without a network, because a server on this machine is still reachable.
    this.#setState(navigator.onLine ? "waiting" : "offline", { reason, retryInMs });
  }

  /** Reset the backoff after a connection that lasted. One that ended early counts as failed, to protect the server. */
  #resetBackoff() {
    if (this.#liveSince !== null && Date.now() - this.#liveSince >= STEADY_MS) this.#attempt = 0;
  }

  /** Stay disconnected until `retryNow`; positions are kept. */
  #end(reason) {
    this.#reset();
    this.#setState("stopped", { reason });
  }

  /** Close the socket and clear everything that belongs to the current attempt. */
  #reset() {
    this.#generation++;
    this.#liveSince = null;
    for (const timer of [this.#retry, this.#deadline, this.#renewal]) timer.clear();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#subscriptions.disconnected();
  }

  #setState(state, detail = {}) {
    this.status = { state, ...detail };
    this.#emit("state", { status: this.status });
  }
}
