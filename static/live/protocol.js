/**
 * The rules of the live protocol (Centrifuge client protocol 2, JSON) that need no socket: framing, close
 * codes, and the delay before the next attempt.
 */

/** Upper limits of the delay before the first attempt and before any attempt. */
export const FIRST_DELAY_MS = 500;
export const MAX_DELAY_MS = 20_000;
/** A connection or subscription that ends sooner than this counts as a failed attempt. */
export const STEADY_MS = 10_000;
/** A server pings every `ping` seconds; this much later without a ping, the connection is considered dead. */
export const PING_GRACE_MS = 10_000;
/** In characters. A frame with everything that can be recovered of every stream has a tenth of this. */
export const MAX_FRAME_LENGTH = 8 * 2 ** 20;

/** Error codes of replies. */
const EXPIRED_TOKEN = 109;
const ALREADY_SUBSCRIBED = 105;

/** Return the objects of a text frame, one per line; throws an error for anything else. */
export function decodeFrame(frame) {
  if (typeof frame !== "string") throw new TypeError("the frame is not text");
  if (frame.length > MAX_FRAME_LENGTH) throw new RangeError("the frame has more than 8 Mi characters");
  const messages = frame
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  if (!messages.every(isObject)) throw new TypeError("the message is not an object");
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
 * Return whether the client reconnects after a close code.
 *
 * 3500–3999 and 4500–4999 are final: the server refuses this client. Every other code, among them the
 * browser's own 1000–1015, is an interruption.
 */
export function mayReconnect(code) {
  return !((code >= 3500 && code <= 3999) || (code >= 4500 && code <= 4999));
}

/** Return whether an error allows another attempt: a temporary one of a reply, or one that has no code at all. */
export function isTemporary(error) {
  const { temporary, code } = error ?? {};
  return temporary === true || typeof code !== "number" || code < 100 || code === EXPIRED_TOKEN;
}

/** Return whether a subscription was refused because it exists. */
export function isSubscribedAlready(error) {
  return error?.code === ALREADY_SUBSCRIBED;
}

/**
 * Return the delay in milliseconds before attempt number `attempt` (0 is the first after an interruption).
 *
 * Exponential with full jitter: uniform between 0 and min(MAX_DELAY_MS, FIRST_DELAY_MS · 2^attempt), so that ten
 * thousand clients that were disconnected together do not reconnect together.
 */
export function backoff(attempt, random = Math.random) {
  return random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 16));
}

/**
 * Return the delay in milliseconds after which a token that lasts `ttl` seconds is renewed; null for never.
 *
 * That is shortly before its end, when the application that requests tickets also renews its own credentials, and at
 * least a second from now.
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
