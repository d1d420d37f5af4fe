/** The leading tab's work for all tabs: holds the connection, forwards its events, and subscribes to their channels. */

import { Connection } from "./connection.js";

/** The messages to the leader; all others are from the leader. */
const TO_LEADER = new Set(["sync", "ping", "wake", "retry"]);

export class Leader {
  #membership;
  #streams;
  #connection;
  #term;
  /** The channels of each tab by its id: `wanted` maps a name to a serial number, `refused` has serial numbers. */
  #tabs = new Map();

  /** `term` is a number greater than that of any leader before. */
  constructor({ membership, streams, ticket, term }) {
    this.#term = term;
    this.#membership = membership;
    this.#streams = streams;
    this.#connection = new Connection({
      ticket,
      positions: streams.positions(),
      emit: (type, body) => this.#forward(type, body),
    });
  }

  /** Return whether a message is for the leader. */
  static handles({ type }) {
    return TO_LEADER.has(type);
  }

  /** Announce this leader, upon which every tab sends its channels and positions; and connect. */
  start() {
    this.#announce();
    this.#connection.start();
  }

  stop() {
    this.#connection.stop();
  }

  lostNetwork() {
    this.#connection.lostNetwork();
  }

  /** Handle a tab's message. */
  receive({ type, from, channels, positions }) {
    // Any message shows that some page is awake, while this one may be in the background with its timers delayed.
    this.#connection.runDueTimers();
    if (type === "wake") this.#connection.wake();
    if (type === "retry") this.#connection.retryNow();
    this.#announce(from);
    if (type === "sync") this.#sync(from, channels, positions);
  }

  #sync(tab, channels, positions) {
    const known = this.#tabs.get(tab);
    if (!known) this.#membership.onMemberLeft(tab, () => this.#removeTab(tab));
    const isRefused = ([, serial]) => known?.refused.has(serial);
    const wanted = new Map(channels.filter((channel) => !isRefused(channel)));
    const refused = new Set(channels.filter(isRefused).map(([, serial]) => serial));
    this.#tabs.set(tab, { wanted, refused });
    this.#updateWanted();
    for (const [channel, serial] of wanted) {
      const added = known?.wanted.get(channel) !== serial;
      if (added && this.#connection.isSubscribed(channel)) this.#post("subscribed", { channel, to: tab });
    }
    for (const [name, position] of Object.entries(positions)) {
      const update = this.#streams.updateSince(name, position);
      if (update) this.#post("update", { stream: name, update, to: tab });
    }
  }

  #removeTab(tab) {
    this.#tabs.delete(tab);
    this.#updateWanted();
  }

  #updateWanted() {
    this.#connection.setChannels(new Set([...this.#tabs.values()].flatMap(({ wanted }) => [...wanted.keys()])));
  }

  #forward(type, body) {
    if (type === "subscribed" || type === "failed") this.#postToSubscribers(type, body);
    else this.#post(type, body);
  }

  /** Post to the tabs that are known to want a channel; a tab that wants it later is answered by `#sync`. */
  #postToSubscribers(type, body) {
    for (const [tab, { wanted, refused }] of this.#tabs) {
      if (!wanted.has(body.channel)) continue;
      if (type === "failed") {
        refused.add(wanted.get(body.channel));
        wanted.delete(body.channel);
      }
      this.#post(type, { ...body, to: tab });
    }
  }

  #announce(to) {
    const { status } = this.#connection;
    this.#post("leader", { to, term: this.#term, status, positions: this.#streams.positions() });
  }

  #post(type, body) {
    this.#membership.post({ type, ...body });
  }
}
