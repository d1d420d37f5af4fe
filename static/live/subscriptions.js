/** Keep the channels that are wanted in step with what the server has subscribed this connection to. */

import { Alarm } from "./alarm.js";
import { backoff, isSubscribedAlready, isTemporary, STEADY_MS } from "./protocol.js";

/** Unsubscribe pushes below this code are final; from here on the client subscribes again. */
const RESUBSCRIBE_FROM = 2500;
/** Leave a channel only so many milliseconds after nobody wants it: a page change often wants it back at once. */
const LINGER_MS = 1500;

export class Subscriptions {
  #send;
  #joined;
  #refused;
  #channels = new Map();
  #connected = false;

  /**
   * `send(method, parameters, {answered, failed})` sends a command. `joined(name, data)` is called whenever a channel is
   * subscribed, also again after an interruption, with what it begins with, if anything; `refused(name, error)` once it is not, for good.
   */
  constructor({ send, joined, refused }) {
    this.#send = send;
    this.#joined = joined;
    this.#refused = refused;
  }

  /** Want exactly these channels from now on. */
  want(names) {
    for (const name of names) this.#add(name);
    for (const channel of this.#channels.values()) {
      if (channel.wanted && !names.has(channel.name)) this.#leave(channel);
    }
  }

  /** Return whether the server sends a channel's publications now. */
  isLive(name) {
    return this.#channels.get(name)?.state === "live";
  }

  /** Subscribe to everything that is wanted, on a new connection. */
  connected() {
    this.#connected = true;
    for (const channel of this.#channels.values()) this.#join(channel);
  }

  disconnected() {
    this.#connected = false;
    for (const channel of this.#channels.values()) {
      channel.state = "idle";
      if (channel.wanted) channel.alarm.clear();
    }
  }

  /** Forget every channel. */
  clear() {
    for (const { alarm } of this.#channels.values()) alarm.clear();
    this.#channels.clear();
  }

  /** Take note that the server ended a subscription. */
  ended(name, { code, reason }) {
    const channel = this.#channels.get(name);
    if (!channel) return;
    if (code >= RESUBSCRIBE_FROM) this.#rejoin(channel);
    else this.#lose(channel, { code, message: reason });
  }

  nudge() {
    for (const { alarm } of this.#channels.values()) alarm.nudge();
  }

  #add(name) {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = { name, wanted: false, state: "idle", attempt: 0, since: 0, alarm: new Alarm() };
      this.#channels.set(name, channel);
    }
    if (channel.wanted) return;
    channel.wanted = true;
    channel.alarm.clear();
    this.#join(channel);
  }

  #join(channel) {
    if (!this.#connected || !channel.wanted || channel.state !== "idle") return;
    channel.state = "joining";
    this.#send("subscribe", { channel: channel.name }, {
      answered: ({ data }) => this.#live(channel, data),
      failed: (error) => this.#failed(channel, error),
    });
  }

  #live(channel, data) {
    channel.state = "live";
    channel.since = Date.now();
    this.#joined(channel.name, data);
  }

  #failed(channel, error) {
    if (isSubscribedAlready(error)) this.#live(channel);
    else if (isTemporary(error)) this.#rejoin(channel);
    else this.#lose(channel, error);
  }

  /** Subscribe again after a while that grows as long as it does not last. */
  #rejoin(channel) {
    if (channel.state === "live" && Date.now() - channel.since >= STEADY_MS) channel.attempt = 0;
    channel.state = "idle";
    if (channel.wanted) channel.alarm.set(backoff(channel.attempt++), () => this.#join(channel));
  }

  #lose(channel, { code, message }) {
    channel.alarm.clear();
    this.#channels.delete(channel.name);
    if (channel.wanted) this.#refused(channel.name, { code, message });
  }

  #leave(channel) {
    channel.wanted = false;
    channel.alarm.set(LINGER_MS, () => this.#left(channel));
  }

  #left(channel) {
    if (channel.state === "joining") {
      this.#leave(channel); // its answer must come first, or it would stay subscribed unnoticed
      return;
    }
    this.#channels.delete(channel.name);
    if (channel.state === "live") this.#send("unsubscribe", { channel: channel.name });
  }
}
