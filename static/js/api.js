/**
 * Speak with PicShare's HTTP API from a browser.
 *
 * The session lives in HttpOnly cookies that scripts cannot read. Beside them the server sets a readable
 * CSRF cookie whose value every write repeats in `X-CSRF-Token`; its presence also says that a session
 * exists, so that a visitor without one costs no failing request. The access token lasts minutes and is
 * renewed shortly before it ends, or after a 401, by one request at a time, over all tabs.
 */

import { exclusively } from "./exclusive.js";

const BASE = "/api/v1";
const CSRF_COOKIE = "picshare_csrf";
const EXPIRY_KEY = "picshare.access-until";
/** Renew when less than this is left, in milliseconds. */
const EARLY = 30_000;

/** Say what the API refused: `status` (0 when it was not reached), `code`, and `fields` {name: message}. */
export class ApiError extends Error {
  constructor(status, problem = {}, retryAfter = 0) {
    super(problem.detail || problem.title || "Something went wrong.");
    this.name = "ApiError";
    this.status = status;
    this.code = problem.code ?? "";
    this.retryAfter = retryAfter;
    this.fields = Object.fromEntries((problem.errors ?? []).map(({ field, message }) => [field, message]));
  }
}

/** Return the error for a problem+json text, whatever came instead of it. */
export function problemOf(status, text, retryAfter = 0) {
  if (status === 0) return new ApiError(0, { code: "unreachable", detail: "PicShare cannot be reached right now." });
  try {
    return new ApiError(status, JSON.parse(text), retryAfter);
  } catch {
    return new ApiError(status, { detail: `PicShare answered with an error (${status}).` }, retryAfter);
  }
}

/** Return a fresh key that makes a repeated write harmless (128 random bits, also without a secure context). */
export function idempotencyKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Api {
  #renewal = null;
  /** The CSRF token of the session that this page speaks for. */
  #proof = "";
  /** Called once the session has ended for good. */
  onSignedOut = () => {};

  get(path, query) {
    return this.request("GET", path, { query });
  }

  post(path, body, options) {
    return this.request("POST", path, { body, ...options });
  }

  patch(path, body) {
    return this.request("PATCH", path, { body });
  }

  put(path) {
    return this.request("PUT", path);
  }

  delete(path) {
    return this.request("DELETE", path);
  }

  /**
   * Speak for the session that this browser holds now.
   *
   * Not simply for whichever it holds: should another person sign in in another tab, the server refuses what this
   * page still writes in the name of the former one.
   */
  adoptSession() {
    this.#proof = csrfToken();
  }

  /** Say whether this browser holds a session, without asking the server. */
  hasSession() {
    return csrfToken() !== "";
  }

  /** Remember how long the access token lasts, from an answer that carries `expires_in` seconds. */
  noteExpiry(answer) {
    if (answer?.expires_in) localStorage.setItem(EXPIRY_KEY, String(Date.now() + answer.expires_in * 1000));
  }

  /** Return the headers that a write with the cookie session needs. */
  writeHeaders() {
    return { "X-CSRF-Token": this.#proof || csrfToken() };
  }

  /** Send one request and return its JSON (null for an empty answer); raise `ApiError` otherwise. */
  async request(method, path, { query, body, key, anonymous = false, signal } = {}) {
    if (!anonymous) await this.ensureFresh();
    const send = () => this.#send(method, path, { query, body, key, signal });
    let response = await send();
    if (response.status === 401 && !anonymous && this.hasSession()) {
      await this.renew(true);
      response = await send();
    }
    const text = await response.text();
    if (!response.ok) throw problemOf(response.status, text, Number(response.headers.get("Retry-After")) || 0);
    return text ? JSON.parse(text) : null;
  }

  async #send(method, path, { query, body, key, signal }) {
    const url = new URL(BASE + path, location.origin);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
    }
    const headers = { Accept: "application/json" };
    if (method !== "GET") Object.assign(headers, this.writeHeaders());
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    try {
      return await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw problemOf(0, "");
    }
  }

  /** Renew the access token if it is about to end. */
  async ensureFresh() {
    if (this.hasSession() && Number(localStorage.getItem(EXPIRY_KEY)) - Date.now() < EARLY) await this.renew(false);
  }

  /** Renew the access token, once for all that ask meanwhile; `force` also when it seems to have time left. */
  renew(force) {
    this.#renewal ??= exclusively("picshare.renew", () => this.#renewNow(force)).finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #renewNow(force) {
    const left = Number(localStorage.getItem(EXPIRY_KEY)) - Date.now();
    // While this tab waited for its turn another one may have renewed: a second use of the old refresh token
    // would look like theft and end the session.
    const renewedElsewhere = left > EARLY && !force;
    if (renewedElsewhere) return;
    const response = await this.#send("POST", "/tokens/refresh", { body: {} });
    const text = await response.text();
    if (response.ok) {
      this.noteExpiry(JSON.parse(text));
      return;
    }
    if (response.status === 401 || response.status === 403) {
      localStorage.removeItem(EXPIRY_KEY);
      this.onSignedOut();
    }
    throw problemOf(response.status, text);
  }
}

/** Return the value of the CSRF cookie, or "" without a session. */
export function csrfToken() {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${CSRF_COOKIE}=`));
  return found ? decodeURIComponent(found.slice(CSRF_COOKIE.length + 1)) : "";
}
