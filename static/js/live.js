/**
 * A small live client for browsers: connects to PicShare's live endpoint, stays connected, and misses nothing.
 *
 *     const live = new LiveClient({ ticket: () => post("/api/v1/live/token") });   // → {token, url}
 *     live.on("feed", ({ data }) => …);              // streams the server subscribes its owner to
 *     live.onGap("feed", () => …);                   // what was missed cannot be told: fetch anew
 *     const stop = live.subscribe("photo:01ABC…", { publication: (data) => … });
 *     live.addEventListener("state", ({ detail }) => …);   // {state, retryInMs?, reason?}
 *     live.start();
 *
 * States: "connecting", "live", "waiting" (an interruption; the next attempt comes in `retryInMs`), "offline"
 * (the same, and the browser knows of no network), "stopped" (by `stop()` or for good by the server).
 *
 * `ticket` is asked for a one-use token before every connection. If it raises an error with `status` 401 or 403
 * the client stops, because the session is over; any other error counts as an interruption.
 */

import { backoff, decodeFrame, encodeFrame, isTemporary, mayReconnect, PING_GRACE_MS, Position } from "./live_protocol.js";
import { Subscriptions } from "./live_subscriptions.js";

/** The close code for a token that the server does not take. */
const INVALID_TOKEN = 3500;
/** Renew the connection's token so many seconds before it ends (sooner, if it lasts less than 100). */
const REFRESH_BEFORE_S = 20;
/** Give up an attempt that has led nowhere after so many milliseconds. */
const CONNECT_WITHIN_MS = 10_000;

export class LiveClient extends EventTarget {
  #ticket;
  #socket = null;
  #attempt = 0;
  /** Grows with every attempt and stop, so that what an abandoned attempt still brings is not heeded. */
  #generation = 0;
  #retry = null;
  #deadline = null;
  #refresh = null;
  #pingMs = 0;
  #pongs = false;
  #heardAt = 0;
  #nextId = 1;
  #replies = new Map();
  #streams = new Map();
  #subscriptions;
  #wanted = false;
  state = "stopped";

  constructor({ ticket }) {
    super();
    this.#ticket = ticket;
    this.#subscriptions = new Subscriptions((method, params) => this.#command(method, params));
  }

  /** Connect and stay connected until `stop`. */
  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    window.addEventListener("online", this.#wake);
    window.addEventListener("offline", this.#sleep);
    window.addEventListener("pageshow", this.#wake);
    document.addEventListener("visibilitychange", this.#wake);
    this.#connect();
  }

  /** Disconnect, and forget every position: whoever signs in next begins anew. */
  stop() {
    this.#halt("");
    for (const stream of this.#streams.values()) stream.position = new Position();
  }

  /** Disconnect for good; positions are kept, so that a person who connects again by hand misses nothing. */
  #halt(reason) {
    this.#wanted = false;
    window.removeEventListener("online", this.#wake);
    window.removeEventListener("offline", this.#sleep);
    window.removeEventListener("pageshow", this.#wake);
    document.removeEventListener("visibilitychange", this.#wake);
    this.#drop();
    this.#change("stopped", { reason });
  }

  /** Connect at once instead of waiting; also brings a client back that the server had stopped. */
  retryNow() {
    if (!this.#wanted) this.start();
    else if (this.state === "waiting" || this.state === "offline") this.#connect();
  }

  /** Call `listener({data})` for each publication of a stream; returns a function that stops it. */
  on(stream, listener) {
    return add(this.#stream(stream).listeners, listener);
  }

  /** Call `listener()` when publications of a stream were missed that cannot be told any more. */
  onGap(stream, listener) {
    return add(this.#stream(stream).gapListeners, listener);
  }

  /**
   * Subscribe to a channel while connected, now and after every reconnection.
   *
   * `publication(data)` is called for each publication, `resumed()` after a reconnection (the channel has no
   * memory: fetch what counts), `failed({code, message})` when the server refuses. Returns a function that ends it.
   */
  subscribe(channel, handlers) {
    return this.#subscriptions.add(channel, handlers);
  }

  #stream(name) {
    if (!this.#streams.has(name)) {
      this.#streams.set(name, { position: new Position(), listeners: new Set(), gapListeners: new Set() });
    }
    return this.#streams.get(name);
  }

  async #connect() {
    this.#drop();
    const generation = this.#generation;
    this.#change("connecting");
    this.#deadline = setTimeout(() => this.#interrupted(generation, "no answer"), CONNECT_WITHIN_MS);
    let ticket;
    try {
      ticket = await this.#ticket();
    } catch (error) {
      if (generation !== this.#generation) return;
      if (error.status === 401 || error.status === 403) this.#halt("signed out");
      else this.#interrupted(generation, "no ticket", (error.retryAfter ?? 0) * 1000);
      return;
    }
    if (generation !== this.#generation) return;
    const socket = new WebSocket(socketUrl(ticket.url));
    this.#socket = socket;
    socket.onopen = () => this.#hello(generation, ticket.token);
    socket.onmessage = ({ data }) => this.#receive(generation, data);
    socket.onclose = ({ code, reason }) => {
      if (generation !== this.#generation) return;
      // A ticket may have run out on its way; whether the session is over, the next ticket will tell.
      const staleTicket = code === INVALID_TOKEN && this.#attempt < 3;
      if (mayReconnect(code) || staleTicket) this.#interrupted(generation, reason || `closed (${code})`);
      else this.#halt(reason);
    };
  }

  #hello(generation, token) {
    const subs = {};
    for (const [name, { position }] of this.#streams) if (position.known) subs[name] = position.request();
    this.#command("connect", { token, name: "picshare-web", subs }).then(
      (result) => generation === this.#generation && this.#connected(generation, result),
      (error) => {
        if (generation !== this.#generation) return;
        if (isTemporary(error)) this.#interrupted(generation, error.message);
        else this.#halt(error.message);
      },
    );
  }

  #connected(generation, result) {
    clearTimeout(this.#deadline);
    this.#attempt = 0;
    this.#pingMs = (result.ping ?? 0) * 1000;
    this.#pongs = result.pong === true;
    if (result.expires) this.#scheduleRefresh(generation, result.ttl);
    this.#change("live");
    for (const [name, stream] of this.#streams) {
      // A stream that the server no longer lists is one that this person no longer has.
      const { publications, gap } = stream.position.resume(result.subs?.[name] ?? {});
      for (const { data } of publications) for (const listener of stream.listeners) listener({ data });
      if (gap) for (const listener of stream.gapListeners) listener();
    }
    this.#subscriptions.connected();
    this.#watchPings(generation);
  }

  #receive(generation, text) {
    if (generation !== this.#generation) return;
    this.#heardAt = Date.now();
    if (this.state === "live") this.#watchPings(generation);
    for (const message of decodeFrame(text)) {
      if (message.id) this.#settle(message);
      else if (message.push) this.#pushed(message.push);
      else if (this.#pongs) this.#socket?.send("{}");
    }
  }

  #settle({ id, error, ...result }) {
    const reply = this.#replies.get(id);
    this.#replies.delete(id);
    if (error) reply?.reject(error);
    else reply?.resolve(result[reply.method] ?? {});
  }

  #pushed({ channel, pub, unsubscribe, disconnect }) {
    const stream = this.#streams.get(channel);
    if (pub && stream) {
      if (stream.position.accept(pub)) for (const listener of stream.listeners) listener({ data: pub.data });
    } else if (pub) {
      this.#subscriptions.published(channel, pub.data);
    } else if (unsubscribe) {
      // A server-side stream that ended in the middle comes back, with what was missed, by connecting again.
      if (stream) this.#interrupted(this.#generation, "stream ended");
      else this.#subscriptions.ended(channel, unsubscribe);
    } else if (disconnect) {
      this.#socket?.close();
    }
  }

  #command(method, params) {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject({ code: 0, message: "not connected", temporary: true });
        return;
      }
      const id = this.#nextId++;
      this.#replies.set(id, { method, resolve, reject });
      this.#socket.send(encodeFrame({ id, [method]: params }));
    });
  }

  #scheduleRefresh(generation, ttlSeconds) {
    clearTimeout(this.#refresh);
    // Shortly before the end, when whoever gives tickets renews its own credentials, too.
    const inSeconds = Math.max(ttlSeconds * 0.8, ttlSeconds - REFRESH_BEFORE_S);
    this.#refresh = setTimeout(async () => {
      try {
        const { token } = await this.#ticket();
        if (generation !== this.#generation) return;
        const result = await this.#command("refresh", { token });
        if (generation === this.#generation && result.expires) this.#scheduleRefresh(generation, result.ttl);
      } catch {
        this.#interrupted(generation, "session not renewed");
      }
    }, inSeconds * 1000);
  }

  #watchPings(generation) {
    clearTimeout(this.#deadline);
    if (!this.#pingMs) return;
    this.#deadline = setTimeout(() => this.#interrupted(generation, "no ping"), this.#pingMs + PING_GRACE_MS);
  }

  #interrupted(generation, reason, atLeastMs = 0) {
    if (generation !== this.#generation || !this.#wanted) return;
    this.#drop();
    const retryInMs = Math.max(backoff(this.#attempt++), atLeastMs);
    // Without a network attempts go on all the same: a server on this very machine is still there.
    this.#change(navigator.onLine ? "waiting" : "offline", { reason, retryInMs });
    this.#retry = setTimeout(() => this.#connect(), retryInMs);
  }

  /** Let go of the socket and all that belongs to this attempt. */
  #drop() {
    this.#generation++;
    clearTimeout(this.#retry);
    clearTimeout(this.#deadline);
    clearTimeout(this.#refresh);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) socket.close();
    for (const { reject } of this.#replies.values()) reject({ code: 0, message: "disconnected", temporary: true });
    this.#replies.clear();
    this.#subscriptions.disconnected();
  }

  #wake = () => {
    if (document.visibilityState === "hidden") return;
    // A page that slept may hold a socket that died unnoticed: timers stood still, too.
    const stale = this.state === "live" && this.#pingMs > 0 && Date.now() - this.#heardAt > this.#pingMs + PING_GRACE_MS;
    if (stale || this.state === "waiting" || this.state === "offline") this.#connect();
  };

  #sleep = () => {
    if (this.state === "live" || this.state === "connecting") this.#interrupted(this.#generation, "no network");
  };

  #change(state, detail = {}) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, ...detail } }));
  }
}

function add(set, listener) {
  set.add(listener);
  return () => set.delete(listener);
}

/** Return the WebSocket address of an absolute URL or of a path on this origin. */
function socketUrl(address) {
  const url = new URL(address ?? "/connection/websocket", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}
