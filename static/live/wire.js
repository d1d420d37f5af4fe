/** One WebSocket with the protocol's framing: commands and their replies, pushes, pings. */

import { decodeFrame, encodeFrame } from "./protocol.js";

/** The close code that a frame counts as which is not the protocol. */
const MALFORMED = 1002;

/**
 * Open a socket and speak with the server.
 *
 * `events` are called in the order of the server's messages: `opened()`, `heard()` for each frame,
 * `pushed(push)`, and once at the end `closed(code, reason)`. After closing it from here none is called any more.
 */
export class Wire {
  #socket;
  #events;
  #nextId = 1;
  #replies = new Map();
  /** Whether the server wants its pings answered. */
  pongs = false;

  constructor(url, events) {
    this.#events = events;
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => this.#events?.opened();
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = ({ code, reason }) => this.#ended(code, reason);
  }

  /**
   * Send a command; `answered(result)` or `failed(error)` is called once, unless the wire ends before.
   *
   * Callbacks, because a promise would settle after the messages that follow the reply in its frame.
   */
  send(method, parameters, { answered = () => {}, failed = () => {} } = {}) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const id = this.#nextId++;
    this.#replies.set(id, { method, answered, failed });
    this.#socket.send(encodeFrame({ id, [method]: parameters }));
  }

  close() {
    this.#events = null;
    this.#replies.clear();
    this.#socket.close();
  }

  /** Close, but not before it is open: of that browsers complain on the console, also when a page is left. */
  closeGently() {
    if (this.#socket.readyState === WebSocket.CONNECTING) {
      this.#events = null;
      this.#socket.onopen = () => this.close();
    } else {
      this.close();
    }
  }

  #ended(code, reason) {
    const events = this.#events;
    this.close();
    events?.closed(code, reason);
  }

  #receive(frame) {
    let messages;
    try {
      messages = decodeFrame(frame);
    } catch {
      this.#ended(MALFORMED, "malformed message");
      return;
    }
    this.#events?.heard();
    for (const message of messages) if (this.#events) this.#take(message);
  }

  #take(message) {
    if (message.id) this.#settle(message);
    else if (message.push) this.#events.pushed(message.push);
    else if (this.pongs && Object.keys(message).length === 0) this.#socket.send("{}");
  }

  #settle({ id, error, ...result }) {
    const reply = this.#replies.get(id);
    this.#replies.delete(id);
    if (error) reply?.failed(error);
    else reply?.answered(result[reply.method] ?? {});
  }
}
