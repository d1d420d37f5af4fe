/**
 * The rules of the live protocol (Centrifuge client protocol 2, JSON) that need no socket: framing, close
 * codes, how long to wait before the next attempt.
 */

/** Milliseconds: the first wait is drawn below this, and no wait is longer than `LONGEST`. */
export const SHORTEST = 500;
export const LONGEST = 20_000;
/** What ends sooner than so many milliseconds after its beginning has failed like what never began. */
export const STEADY_MS = 10_000;
/** A server pings every `ping` seconds; after so many more without one the connection is taken for dead. */
export const PING_GRACE_MS = 10_000;
/** Characters; a frame with all that can be recovered of every stream has a tenth of it. */
export const LONGEST_FRAME = 8 * 2 ** 20;

/** Error codes of replies: the same command may succeed later; what was asked for is so already. */
const EXPIRED_TOKEN = 109;
const ALREADY_SUBSCRIBED = 105;

/** Return the objects of a text frame, one a line; raise an error for anything else. */
export function decodeFrame(frame) {
  if (typeof frame !== "string") throw new TypeError("a frame that is not text");
  if (frame.length > LONGEST_FRAME) throw new RangeError("a frame of more than 8 Mi characters");
  const messages = frame
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  if (!messages.every(isObject)) throw new TypeError("a message that is not an object");
  return messages;
}

/** Return the text frame of one or more commands. */
export function encodeFrame(...commands) {
  return commands.map((command) => JSON.stringify(command)).join("\n");
}

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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

/** Return whether an error is worth another attempt: a reply's temporary one, or one that has no code at all. */
export function isTemporary(error) {
  const { temporary, code } = error ?? {};
  return temporary === true || typeof code !== "number" || code < 100 || code === EXPIRED_TOKEN;
}

/** Return whether a subscription was refused because it exists. */
export function isSubscribedAlready(error) {
  return error?.code === ALREADY_SUBSCRIBED;
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
 * Return the milliseconds after which a token that lasts `ttl` seconds is renewed; null for never.
 *
 * Shortly before the end, when whoever gives tickets renews its own credentials, too; never sooner than in a second.
 */
export function renewIn(ttl) {
  if (!Number.isFinite(ttl)) return null;
  return Math.max(1, ttl * 0.8, ttl - 20) * 1000;
}

/** Return the WebSocket address of an absolute URL or of a path on this origin. */
export function socketUrl(address) {
  const url = new URL(address ?? "/connection/websocket", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}
