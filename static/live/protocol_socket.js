/** One WebSocket with the framing of the live protocol: commands and replies, pushes, pings. */

import { decodeFrame, encodeFrame } from "./protocol.js";

/** The close code reported for a frame that does not follow the protocol. */
const MALFORMED = 1002;

/**
 * Open a WebSocket and exchange messages over it.
 *
 * `events` are called in the order of the server's messages: `opened()`, `received()` for each frame,
 * `pushed(push)`, and once at the end `closed(code, reason)`. No event is called after this side closes the socket.
 */
export class ProtocolSocket {
  #socket;
  #events;
  #nextId = 1;
  #pending = new Map();
  /** Whether the server expects an answer to its pings. */
  answersPings = false;

  constructor(url, events) {
    this.#events = events;
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => this.#events?.opened();
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = ({ code, reason }) => this.#ended(code, reason);
  }

  /**
   * Send a command. `succeeded(result)` or `failed(error)` is called once, unless the socket closes first.
   *
   * These are callbacks because a promise would resolve only after the messages that follow the reply in its frame.
   */
  send(method, parameters, { succeeded = () => {}, failed = () => {} } = {}) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const id = this.#nextId++;
    this.#pending.set(id, { method, succeeded, failed });
    this.#socket.send(encodeFrame({ id, [method]: parameters }));
  }

  close() {
    this.#events = null;
    this.#pending.clear();
    this.#socket.close();
  }

  /** Close the socket once it is open: browsers log an error for a socket that is closed while it connects. */
  closeOnceOpen() {
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
    this.#events?.received();
    // A callback may close the socket in the middle of a frame; the rest of the frame is then dropped.
    for (const message of messages) if (this.#events) this.#handle(message);
  }

  #handle(message) {
    if (message.id) this.#handleReply(message);
    else if (message.push) this.#events.pushed(message.push);
    else if (this.answersPings && Object.keys(message).length === 0) this.#socket.send("{}");
  }

  #handleReply({ id, error, ...result }) {
    const command = this.#pending.get(id);
    this.#pending.delete(id);
    if (error) command?.failed(error);
    else command?.succeeded(result[command.method] ?? {});
  }
}
