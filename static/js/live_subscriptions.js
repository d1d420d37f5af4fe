/**
 * Keep the channels that pages want in step with what the server has subscribed this connection to.
 *
 * Several parts of a page may want the same channel; it is subscribed for the first and left after the last.
 */

import { isTemporary } from "./live_protocol.js";

/** Unsubscribe pushes below this code are final; from here on the client subscribes again. */
const RESUBSCRIBE_FROM = 2500;
/** Wait so many milliseconds before a channel is tried again after a temporary error. */
const AGAIN_AFTER_MS = 2000;
/** Leave a channel only so many milliseconds after the last reader: a page change often wants it back at once. */
const LINGER_MS = 1500;

export class Subscriptions {
  #command;
  #channels = new Map();
  #connected = false;

  /** `command(method, params)` sends to the server and resolves to its result. */
  constructor(command) {
    this.#command = command;
  }

  /**
   * Want a channel; returns a function that ends it. See `LiveClient.subscribe` for the handlers; there is one more,
   * `subscribed(data)`, called with each beginning and what the channel begins with, undefined where it has nothing.
   */
  add(name, handlers) {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = { name, readers: new Set(), state: "idle", wasLive: false, timer: null };
      this.#channels.set(name, channel);
    }
    clearTimeout(channel.timer);
    // What was refused once may be allowed by now; who wants it anew asks anew.
    if (channel.state === "refused") channel.state = "idle";
    channel.readers.add(handlers);
    this.#join(channel);
    return () => this.#leave(channel, handlers);
  }

  /** Subscribe to everything that is wanted, on a new connection. */
  connected() {
    this.#connected = true;
    for (const channel of this.#channels.values()) this.#join(channel);
  }

  disconnected() {
    this.#connected = false;
    for (const channel of this.#channels.values()) channel.state = "idle";
  }

  published(name, data) {
    for (const { publication } of this.#channels.get(name)?.readers ?? []) publication?.(data);
  }

  /** Take note that the server ended a subscription. */
  ended(name, { code, reason }) {
    const channel = this.#channels.get(name);
    if (!channel) return;
    channel.state = "idle";
    if (code >= RESUBSCRIBE_FROM) this.#join(channel);
    else this.#refused(channel, { code, message: reason });
  }

  async #join(channel) {
    if (!this.#connected || channel.state !== "idle" || channel.readers.size === 0) return;
    channel.state = "joining";
    let result;
    try {
      result = await this.#command("subscribe", { channel: channel.name });
    } catch (error) {
      this.#failed(channel, error);
      return;
    }
    if (channel.state !== "joining") return;
    channel.state = "live";
    if (channel.wasLive) for (const { resumed } of channel.readers) resumed?.();
    channel.wasLive = true;
    for (const { subscribed } of channel.readers) subscribed?.(result.data);
  }

  #failed(channel, error) {
    if (channel.state !== "joining") return;
    channel.state = "idle";
    if (!isTemporary(error)) {
      this.#refused(channel, error);
    } else if (this.#connected) {
      channel.timer = setTimeout(() => this.#join(channel), AGAIN_AFTER_MS);
    }
  }

  #refused(channel, error) {
    channel.state = "refused";
    for (const { failed } of channel.readers) failed?.(error);
  }

  #leave(channel, handlers) {
    if (!channel.readers.delete(handlers) || channel.readers.size > 0) return;
    this.#leaveLater(channel);
  }

  #leaveLater(channel) {
    clearTimeout(channel.timer);
    channel.timer = setTimeout(() => {
      if (channel.readers.size > 0) return;
      if (channel.state === "joining") {
        this.#leaveLater(channel); // its answer must come first, or it would stay subscribed unnoticed
        return;
      }
      this.#channels.delete(channel.name);
      if (channel.state === "live") this.#command("unsubscribe", { channel: channel.name }).catch(() => {});
    }, LINGER_MS);
  }
}
