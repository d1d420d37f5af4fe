/** What the leading tab does for all: holds the connection, tells everybody what it hears, and wants what they want. */

import { Connection } from "./connection.js";

/** The messages that a leader hears; all others are its own. */
const HEARD = new Set(["here", "ask", "wake", "retry"]);

export class Leader {
  #membership;
  #streams;
  #connection;
  #term;
  /** What each tab wants, by its id: the serial numbers of its channels, and of those that were refused. */
  #tabs = new Map();

  /** `term` is a number greater than that of any leader before. */
  constructor({ membership, streams, ticket, term }) {
    this.#term = term;
    this.#membership = membership;
    this.#streams = streams;
    this.#connection = new Connection({
      ticket,
      positions: streams.positions(),
      tell: (type, body) => this.#tell(type, body),
    });
  }

  static hears({ type }) {
    return HEARD.has(type);
  }

  /** Say who leads, whereupon everybody says what they want; and connect. */
  start() {
    this.#announce();
    this.#connection.start();
  }

  end() {
    this.#connection.end();
  }

  lostNetwork() {
    this.#connection.lostNetwork();
  }

  /** Take a tab's message; whatever it is, it shows that a page is awake, and timers may be late. */
  receive({ type, from, channels, positions }) {
    this.#connection.nudge();
    if (type === "wake") this.#connection.wake();
    if (type === "retry") this.#connection.retryNow();
    this.#announce(from);
    if (type === "here") this.#welcome(from, channels, positions);
  }

  #welcome(tab, channels, positions) {
    const known = this.#tabs.get(tab);
    if (!known) this.#membership.whenGone(tab, () => this.#gone(tab));
    const isRefused = ([, serial]) => known?.refused.has(serial);
    const wanted = new Map(channels.filter((channel) => !isRefused(channel)));
    const refused = new Set(channels.filter(isRefused).map(([, serial]) => serial));
    this.#tabs.set(tab, { wanted, refused });
    this.#want();
    for (const [channel, serial] of wanted) {
      const anew = known?.wanted.get(channel) !== serial;
      if (anew && this.#connection.isSubscribed(channel)) this.#post("joined", { channel, to: tab });
    }
    for (const [name, position] of Object.entries(positions)) {
      const step = this.#streams.catchUp(name, position);
      if (step) this.#post("step", { stream: name, step, to: tab });
    }
  }

  #gone(tab) {
    this.#tabs.delete(tab);
    this.#want();
  }

  #want() {
    this.#connection.want(new Set([...this.#tabs.values()].flatMap(({ wanted }) => [...wanted.keys()])));
  }

  #tell(type, body) {
    if (type === "joined" || type === "refused") this.#tellReaders(type, body);
    else this.#post(type, body);
  }

  /** Tell those tabs that are known to want a channel; the others are told when they are. */
  #tellReaders(type, body) {
    for (const [tab, { wanted, refused }] of this.#tabs) {
      if (!wanted.has(body.channel)) continue;
      if (type === "refused") {
        refused.add(wanted.get(body.channel));
        wanted.delete(body.channel);
      }
      this.#post(type, { ...body, to: tab });
    }
  }

  #announce(to) {
    this.#post("lead", { to, term: this.#term, status: this.#connection.status, positions: this.#streams.positions() });
  }

  #post(type, body) {
    this.#membership.post({ type, ...body });
  }
}
