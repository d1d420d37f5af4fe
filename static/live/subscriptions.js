/** Keep the server's subscriptions of this connection equal to the wanted channels. */

import { backoff, isSubscribedAlready, isTemporary, STEADY_MS } from "./protocol.js";
import { Timer } from "./timer.js";

/** Unsubscribe pushes below this code are final; from here on the client subscribes again. */
const RESUBSCRIBE_FROM = 2500;
/** Milliseconds before an unwanted channel is left: a page change often wants it again at once. */
const LINGER_MS = 1500;

export class Subscriptions {
  #send;
  #subscribed;
  #failed;
  #channels = new Map();
  #connected = false;

  /**
   * `send(method, parameters, {succeeded, failed})` sends a command. `subscribed(name, data)` is called whenever a channel
   * is subscribed, also again after an interruption, with the server's initial data, if any. `failed(name, error)` is
   * called when the server refuses a channel for good.
   */
  constructor({ send, subscribed, failed }) {
    this.#send = send;
    this.#subscribed = subscribed;
    this.#failed = failed;
  }

  /** Replace the set of wanted channels. */
  setWanted(names) {
    for (const name of names) this.#add(name);
    for (const channel of this.#channels.values()) {
      if (channel.wanted && !names.has(channel.name)) this.#leaveLater(channel);
    }
  }

  /** Return whether the server sends a channel's publications now. */
  isLive(name) {
    return this.#channels.get(name)?.state === "live";
  }

  /** Subscribe to every wanted channel on a new connection. */
  connected() {
    this.#connected = true;
    for (const channel of this.#channels.values()) this.#subscribe(channel);
  }

  disconnected() {
    this.#connected = false;
    for (const channel of this.#channels.values()) {
      channel.state = "idle";
      if (channel.wanted) channel.timer.clear();
    }
  }

  /** Forget every channel. */
  clear() {
    for (const { timer } of this.#channels.values()) timer.clear();
    this.#channels.clear();
  }

  /** Handle the server's unsubscribe push: subscribe again, or give up if its code is final. */
  ended(name, { code, reason }) {
    const channel = this.#channels.get(name);
    if (!channel) return;
    if (code >= RESUBSCRIBE_FROM) this.#retryLater(channel);
    else this.#giveUp(channel, { code, message: reason });
  }

  runDueTimers() {
    for (const { timer } of this.#channels.values()) timer.runIfDue();
  }

  #add(name) {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = { name, wanted: false, state: "idle", attempt: 0, liveSince: 0, timer: new Timer() };
      this.#channels.set(name, channel);
    }
    if (channel.wanted) return;
    channel.wanted = true;
    channel.timer.clear();
    this.#subscribe(channel);
  }

  #subscribe(channel) {
    if (!this.#connected || !channel.wanted || channel.state !== "idle") return;
    channel.state = "subscribing";
    this.#send("subscribe", { channel: channel.name }, {
      succeeded: ({ data }) => this.#live(channel, data),
      failed: (error) => this.#refused(channel, error),
    });
  }

  #live(channel, data) {
    channel.state = "live";
    channel.liveSince = Date.now();
    this.#subscribed(channel.name, data);
  }

  #refused(channel, error) {
    if (isSubscribedAlready(error)) this.#live(channel);
    else if (isTemporary(error)) this.#retryLater(channel);
    else this.#giveUp(channel, error);
  }

  /** Subscribe again after a delay, which grows until a subscription has lasted `STEADY_MS`. */
  #retryLater(channel) {
    if (channel.state === "live" && Date.now() - channel.liveSince >= STEADY_MS) channel.attempt = 0;
    channel.state = "idle";
    if (channel.wanted) channel.timer.set(backoff(channel.attempt++), () => this.#subscribe(channel));
  }

  #giveUp(channel, { code, message }) {
    channel.timer.clear();
    this.#channels.delete(channel.name);
    if (channel.wanted) this.#failed(channel.name, { code, message });
  }

  #leaveLater(channel) {
    channel.wanted = false;
    channel.timer.set(LINGER_MS, () => this.#leave(channel));
  }

  #leave(channel) {
    if (channel.state === "subscribing") {
      // Without the reply the channel cannot be unsubscribed, and would stay subscribed unnoticed.
      this.#leaveLater(channel);
      return;
    }
    this.#channels.delete(channel.name);
    if (channel.state === "live") this.#send("unsubscribe", { channel: channel.name });
  }
}
