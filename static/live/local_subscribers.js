/** The channels that this page subscribes to, and the handlers of each. */

import { callListener } from "./listeners.js";

export class LocalSubscribers {
  #channels = new Map();
  #serial = 0;
  #changed;

  /** `changed()` is called when the set of channels has changed. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Return [name, serial] of each channel. A channel that ended and is subscribed again has a new serial number. */
  channels() {
    return [...this.#channels].map(([name, { serial }]) => [name, serial]);
  }

  /**
   * Add a subscriber to a channel; returns a function that removes it.
   *
   * See `LiveClient.subscribe` for the handlers. Without a connection (`connected` is false), publications may be missed
   * before the subscription begins, so that the subscriber's `resumed` is called then.
   */
  add(name, handlers, { connected }) {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = { serial: ++this.#serial, subscribers: new Set(), subscribed: false };
      this.#channels.set(name, channel);
      this.#changed();
    }
    const subscriber = { ...handlers, mayHaveMissed: !connected || channel.subscribed };
    channel.subscribers.add(subscriber);
    return () => this.#remove(name, channel, subscriber);
  }

  published(name, data) {
    for (const { publication } of this.#subscribersOf(name)) callListener(publication, data);
  }

  /** Note that the connection is lost: publications may be missed until each channel is subscribed again. */
  interrupted() {
    for (const { subscribers } of this.#channels.values()) {
      for (const subscriber of subscribers) subscriber.mayHaveMissed = true;
    }
  }

  /** Note that a channel is subscribed, with the server's initial `data`, if any. */
  subscribed(name, data) {
    const channel = this.#channels.get(name);
    if (!channel) return;
    channel.subscribed = true;
    for (const subscriber of channel.subscribers) {
      if (subscriber.mayHaveMissed) callListener(subscriber.resumed);
      if (data !== undefined) callListener(subscriber.subscribed, data);
      subscriber.mayHaveMissed = true;
    }
  }

  /** End a channel because the server refuses it for good. */
  failed(name, error) {
    const subscribers = this.#subscribersOf(name);
    if (this.#channels.delete(name)) this.#changed();
    for (const { failed } of subscribers) callListener(failed, error);
  }

  #subscribersOf(name) {
    return [...(this.#channels.get(name)?.subscribers ?? [])];
  }

  #remove(name, channel, subscriber) {
    channel.subscribers.delete(subscriber);
    if (channel.subscribers.size > 0 || this.#channels.get(name) !== channel) return;
    this.#channels.delete(name);
    this.#changed();
  }
}
