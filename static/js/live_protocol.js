/**
 * The rules of the live protocol (Centrifuge client protocol 2, JSON) that need no socket: framing, close
 * codes, how long to wait before the next attempt.
 */

/** Milliseconds: the first wait is drawn below this, and no wait is longer than `LONGEST`. */
export const SHORTEST = 500;
export const LONGEST = 20_000;
/** A server pings every `ping` seconds; after so many more without one the connection is taken for dead. */
export const PING_GRACE_MS = 10_000;

/** Error codes of replies after which the same command may succeed later. */
const EXPIRED_TOKEN = 109;

/** Return the objects of a text frame: one JSON object a line. */
export function decodeFrame(text) {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** Return the text frame of one or more commands. */
export function encodeFrame(...commands) {
  return commands.map((command) => JSON.stringify(command)).join("\n");
}

/**
 * Return whether a close code asks the client to come back.
 *
 * 3500–3999 and 4500–4999 are final: the server refuses this client. Every other code, among them the
 * browser's own 1000–1015, is an interruption.
 */
export function mayReconnect(code) {
  return !((code >= 3500 && code <= 3999) || (code >= 4500 && code <= 4999));
}

/** Return whether a reply's error is worth another attempt. */
export function isTemporary(error) {
  return error.temporary === true || error.code < 100 || error.code === EXPIRED_TOKEN;
}

/**
 * Return the milliseconds to wait before attempt number `attempt` (0 is the first after an interruption).
 *
 * Exponential with full jitter: uniform between 0 and min(LONGEST, SHORTEST · 2^attempt), so that ten thousand
 * clients that were cut off together do not come back together.
 */
export function backoff(attempt, random = Math.random) {
  return random() * Math.min(LONGEST, SHORTEST * 2 ** Math.min(attempt, 16));
}

/**
 * Keep the position of one stream: what a client has received, and what it still lacks.
 *
 * `accept` says whether a publication is new; offsets only grow within an epoch.
 */
export class Position {
  constructor() {
    this.epoch = "";
    this.offset = 0;
    this.known = false;
  }

  /** Return the fields of a connect or subscribe request that ask for what was missed. */
  request() {
    return this.known ? { recover: true, epoch: this.epoch, offset: this.offset } : {};
  }

  /**
   * Take a subscribe result; returns `{publications, gap}`: what was missed, in order, or that it cannot be told
   * and the reader must fetch anew.
   */
  resume(result) {
    const asked = this.known;
    const recovered = asked && result.recovered === true;
    const publications = recovered ? (result.publications ?? []).filter((item) => this.#isNew(item.offset)) : [];
    if (result.recoverable || result.positioned) {
      this.known = true;
      this.epoch = result.epoch ?? "";
      this.offset = result.offset ?? 0;
    }
    return { publications, gap: asked && !recovered };
  }

  /** Return whether a live publication is new, and move the position behind it. */
  accept(publication) {
    const { offset } = publication;
    if (!offset) return true; // not every channel is positioned
    if (!this.#isNew(offset)) return false;
    this.offset = offset;
    return true;
  }

  #isNew(offset) {
    return !this.known || !offset || offset > this.offset;
  }
}
