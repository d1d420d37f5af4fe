/**
 * The client of PicShare's HTTP API for the browser.
 *
 * The session is in HttpOnly cookies that scripts cannot read. The server also sets a readable CSRF cookie, whose value
 * every write repeats in `X-CSRF-Token`. Its presence shows that a session exists, so that signed-out visitors cause
 * no failing requests. The access token lasts for minutes and is renewed shortly before it expires, or after a 401, by
 * one request at a time across all tabs.
 */

import { deviceValues } from "../elements/kept_values.js";
import { withTabLock } from "./tab_lock.js";
import { language, t } from "../elements/texts.js";

const BASE = "/api/v1";
const CSRF_COOKIE = "picshare_csrf";
const EXPIRY_KEY = "picshare.access-until";
/** A response that was requested ahead is used within this time. */
const AHEAD_MS = 5_000;
/** Statuses of a service that is away: 0 if there was no response. Of 503, the service says so itself, or a gateway. */
const OUTAGES = [0, 502, 503, 504];
/** Statuses that gateways use with pages of their own, about a request that was too large or came too often. */
const OF_GATEWAYS = [413, 414, 429, 431];
/** Renew the access token when it expires within this time. */
const RENEW_BEFORE_MS = 30_000;

/** An error response of the API: `status` (0 if the API is unreachable), `code`, `fields` {name: message}, and members of some codes. */
export class ApiError extends Error {
  constructor(status, problem = {}, retryAfter = 0) {
    super(String(problem.detail || problem.title || t("Something went wrong.")));
    this.name = "ApiError";
    this.status = status;
    this.code = problem.code ?? "";
    this.retryAfter = retryAfter;
    this.deletionDueAt = problem.deletion_due_at ?? null;
    /** The token of a suspended account, for what its user can still do. */
    this.token = problem.access_token ?? null;
    /** What a provider says about a user without an account: `provider`, `email`, `display_name` and `username`. */
    this.profile = problem.code === "account_required" ? problem : null;
    /** What a sign-in has to send with a code. */
    this.challenge = problem.challenge ?? null;
    this.fields = Object.fromEntries((problem.errors ?? []).map(({ field, message }) => [field, message]));
  }

  /** Whether PicShare is away for a moment, so that the same request may succeed later. */
  get isOutage() {
    return OUTAGES.includes(this.status);
  }
}

/**
 * Return the error for a response body, which should be problem+json but may be anything.
 *
 * A page in its place comes from a network that wants a sign-in, or from a proxy. What its status says is not about the
 * request: a 403 of such a page must not end the session.
 */
export function errorFromProblem(status, text, retryAfter = 0) {
  if (status === 0) return unreachable();
  try {
    return new ApiError(status, JSON.parse(text), retryAfter);
  } catch {
    const isForeign = text !== "" && !OF_GATEWAYS.includes(status);
    return isForeign ? unreachable() : new ApiError(status, { detail: t("PicShare returned an error ({status}).", { status: String(status) }) }, retryAfter);
  }
}

function unreachable() {
  return new ApiError(0, { code: "unreachable", detail: t("PicShare cannot be reached right now.") });
}

/** Return the value of a JSON text; throw an `ApiError` if it is a page that a network has sent in place of it. */
function parsedJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw unreachable();
  }
}

/** Return a new idempotency key: 128 random bits. `crypto.randomUUID` needs a secure context, this does not. */
export function idempotencyKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Api {
  #renewal = null;
  /** The CSRF token of the session that this page belongs to. */
  #csrfToken = "";
  /** Responses that were requested ahead, by path and query. */
  #ahead = new Map();
  /** Called when the session has ended. */
  onSignedOut = () => {};
  /** Asks the user to prove who they are, when a request needs that; returns whether they have. */
  prove = async () => false;

  get(path, query) {
    const key = aheadKey(path, query);
    const ahead = this.#ahead.get(key);
    this.#ahead.delete(key);
    if (ahead && performance.now() - ahead.since < AHEAD_MS) return ahead.response;
    return this.request("GET", path, { query });
  }

  /** Request what the next `get` with this path and query will return, before its caller is ready for it. */
  getAhead(path, query) {
    if (this.#ahead.has(aheadKey(path, query))) return;
    const response = this.request("GET", path, { query });
    response.catch(() => {}); // Its caller handles the error.
    this.#keepAhead(path, query, response);
  }

  /** Keep a response that has come already for the next `get` with this path and query. */
  putAhead(path, query, body) {
    this.#keepAhead(path, query, Promise.resolve(body));
  }

  #keepAhead(path, query, response) {
    this.#ahead.set(aheadKey(path, query), { response, since: performance.now() });
  }

  post(path, body, options) {
    return this.request("POST", path, { body, ...options });
  }

  patch(path, body) {
    return this.request("PATCH", path, { body });
  }

  put(path, body) {
    return this.request("PUT", path, { body });
  }

  delete(path) {
    return this.request("DELETE", path);
  }

  /**
   * Bind this page to the browser's current session.
   *
   * If another user signs in in another tab, the browser's cookies change. The server then refuses the writes that
   * this page still sends with the former CSRF token.
   */
  bindToSession() {
    this.#csrfToken = this.readToken();
  }

  /** Return the value of the CSRF cookie, or "" without a session. */
  readToken() {
    const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${CSRF_COOKIE}=`));
    return found ? decodeURIComponent(found.slice(CSRF_COOKIE.length + 1)) : "";
  }

  /** Return whether this browser has a session, without a request. */
  hasSession() {
    return this.readToken() !== "";
  }

  /** Record when the access token expires, from a response with `expires_in` seconds. */
  recordExpiry(response) {
    if (response?.expires_in) deviceValues.set(EXPIRY_KEY, String(Date.now() + response.expires_in * 1000));
  }

  /** Return the headers that writes need. */
  writeHeaders() {
    return { "X-CSRF-Token": this.#csrfToken || this.readToken() };
  }

  /**
   * Send a request and return the JSON of its response, null if it is empty; throws `ApiError`.
   *
   * `body` is sent as JSON, `form` (a FormData) as a form. `bearer` is an access token to use instead of the session.
   */
  async request(method, path, { query, body, form, key, anonymous = false, bearer = null, signal } = {}) {
    const send = () => this.#send(method, path, { query, body, form, key, bearer, signal });
    const respond = async () => {
      const response = await (anonymous || bearer ? send() : this.authorized(send));
      const text = await response.text();
      if (!response.ok) throw errorFromProblem(response.status, text, Number(response.headers.get("Retry-After")) || 0);
      return text ? parsedJson(text) : null;
    };
    try {
      return await respond();
    } catch (error) {
      if (error.code !== "reauthentication_required" || !(await this.prove())) throw error;
      return respond();
    }
  }

  /** Return the response of `send()`, which is called with a valid access token: again after a 401, with a new one. */
  async authorized(send) {
    await this.ensureFresh();
    const response = await send();
    if (response.status !== 401 || !this.hasSession()) return response;
    await this.renew(true);
    return send();
  }

  async #send(method, path, { query, body, form, key, bearer, signal }) {
    const url = new URL(BASE + path, location.origin);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
    }
    const headers = { Accept: "application/json", "Accept-Language": language() };
    if (method !== "GET") Object.assign(headers, this.writeHeaders());
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    if (bearer) headers.Authorization = `Bearer ${bearer}`;
    try {
      return await fetch(url, { method, headers, body: form ?? (body === undefined ? undefined : JSON.stringify(body)), signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw errorFromProblem(0, "");
    }
  }

  /** Renew the access token if it is about to expire. */
  async ensureFresh() {
    if (this.hasSession() && Number(deviceValues.get(EXPIRY_KEY)) - Date.now() < RENEW_BEFORE_MS) await this.renew(false);
  }

  /** Renew the access token; concurrent calls share one request. `force` renews a token that should be valid, too. */
  renew(force) {
    this.#renewal ??= withTabLock("picshare.renew", () => this.#renewNow(force)).finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #renewNow(force) {
    const left = Number(deviceValues.get(EXPIRY_KEY)) - Date.now();
    // Another tab may have renewed the token while this one waited for the lock. The server accepts a second use of a
    // refresh token for a minute only; later it looks like theft and ends the session.
    const renewedElsewhere = left > RENEW_BEFORE_MS && !force;
    if (renewedElsewhere) return;
    const response = await this.#send("POST", "/tokens/refresh", { body: {} });
    const text = await response.text();
    if (response.ok) {
      this.recordExpiry(parsedJson(text));
      return;
    }
    const error = errorFromProblem(response.status, text);
    if (error.status === 401 || error.status === 403) {
      deviceValues.remove(EXPIRY_KEY);
      this.onSignedOut();
    }
    throw error;
  }
}

function aheadKey(path, query = {}) {
  return JSON.stringify([path, Object.entries(query).filter(([, value]) => value !== null && value !== undefined)]);
}
