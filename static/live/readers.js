/** The channels that parts of this page read, each until its last reader has left. */

import { tell } from "./listeners.js";

export class Readers {
  #channels = new Map();
  #serial = 0;
  #changed;

  /** `changed()` is called when the set of channels has changed. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Return [name, serial] of each channel; one that is read again after an end has a new serial number. */
  wanted() {
    return [...this.#channels].map(([name, { serial }]) => [name, serial]);
  }

  /**
   * Read a channel; returns a function that ends it. See `LiveClient.subscribe` for the handlers; `late` says that
   * there is no connection now, so that something may be missed before the channel is joined.
   */
  add(name, handlers, { late }) {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = { serial: ++this.#serial, readers: new Set(), joined: false };
      this.#channels.set(name, channel);
      this.#changed();
    }
    const reader = { ...handlers, catchUp: late || channel.joined };
    channel.readers.add(reader);
    return () => this.#leave(name, channel, reader);
  }

  published(name, data) {
    for (const { publication } of this.#readersOf(name)) tell(publication, data);
  }

  /** The connection is gone, and with it what happens until a channel is joined again. */
  interrupted() {
    for (const { readers } of this.#channels.values()) for (const reader of readers) reader.catchUp = true;
  }

  /** The channel is heard now, beginning with `data`, if anything; whoever may have missed something before is told. */
  joined(name, data) {
    const channel = this.#channels.get(name);
    if (!channel) return;
    channel.joined = true;
    for (const reader of channel.readers) {
      if (reader.catchUp) tell(reader.resumed);
      if (data !== undefined) tell(reader.subscribed, data);
      reader.catchUp = true;
    }
  }

  /** The channel is not to be heard, for good. */
  refused(name, error) {
    const readers = this.#readersOf(name);
    if (this.#channels.delete(name)) this.#changed();
    for (const { failed } of readers) tell(failed, error);
  }

  #readersOf(name) {
    return [...(this.#channels.get(name)?.readers ?? [])];
  }

  #leave(name, channel, reader) {
    channel.readers.delete(reader);
    if (channel.readers.size > 0 || this.#channels.get(name) !== channel) return;
    this.#channels.delete(name);
    this.#changed();
  }
}
