/** The session of the signed-in user, shared by all tabs of the browser. */

import { ApiError } from "./api.js";
import { deviceValues } from "../elements/kept_values.js";
import { t } from "../elements/texts.js";

/** The key in localStorage by which tabs share the id of the signed-in user. */
const USER_KEY = "picshare.user";

const COOKIES_BLOCKED = t("Your browser blocks the cookies that keep you signed in. Allow cookies for this site, then sign in again.");

export class Session extends EventTarget {
  #api;
  /** The account that is signed in, or null. */
  user = null;
  /** Whether the account is that of the last visit. */
  isRestored = false;

  constructor(api) {
    super();
    this.#api = api;
    api.onSignedOut = () => this.#change(null);
    addEventListener("storage", ({ key, newValue }) => {
      if (key === USER_KEY && newValue !== this.id) this.check().catch(() => {}); // The next request fails and shows the error.
    });
  }

  get id() {
    return this.user?.id ?? null;
  }

  /** Load the signed-in user; `user` stays null without a session. */
  async start() {
    if (!this.#api.hasSession()) return;
    this.#api.bindToSession();
    try {
      this.#setUser(await this.#api.get("/users/me"));
    } catch (error) {
      if (error.status !== 401) throw error;
    }
  }

  /** Go on with the account as it was at the last visit, because there is no connection. */
  restoreUser(account) {
    this.user = account;
    this.isRestored = true;
  }

  /** The id of the user who was signed in last, while the browser has a session; else null. */
  get lastId() {
    return this.#api.hasSession() ? deviceValues.get(USER_KEY) : null;
  }

  /** Check whether the session still exists and belongs to the same user; dispatches "change" if it does not. */
  async check() {
    const user = this.#api.hasSession() ? await this.#api.get("/users/me") : null;
    this.#api.bindToSession();
    if (user?.id !== this.user?.id || this.isRestored) this.#change(user);
  }

  /** Load the account, if it is one of the last visit. */
  async refreshRestored() {
    if (this.isRestored) await this.check();
  }

  async signIn(username, password) {
    await this.#startSession("/tokens", { username, password });
  }

  /**
   * Sign in as the user that a provider has named.
   *
   * With `username`, `email` and `display_name` this creates an account, with `restore` it undoes its deletion.
   */
  async signInWithProvider(fields = {}) {
    await this.#startSession("/oidc/sessions", fields);
  }

  /** Finish a sign-in that needs a code. */
  async signInByCode(challenge, code) {
    await this.#startSession("/tokens/second-factor", { challenge, code });
  }

  /** Sign in by the answer of a passkey. */
  async signInByPasskey(credential) {
    await this.#startSession("/tokens/passkey", { credential });
  }

  async signUp({ username, email, password, displayName }) {
    const body = { username, email, password };
    if (displayName) body.display_name = displayName;
    await this.#startSession("/users", body);
  }

  /** Undo the deletion of an account, and sign in. */
  async restore(username, password) {
    await this.#startSession("/users/me/restore", { username, password });
  }

  /** Delete the account; return until when that can be undone, null if it cannot. An account may have no password. */
  async deleteAccount(password = null) {
    const { deletion_due_at: dueAt } = await this.#api.request("DELETE", "/users/me", { body: password === null ? {} : { password } });
    this.#change(null);
    return dueAt;
  }

  /** End the session here and on the server. */
  async signOut() {
    try {
      await this.#api.delete("/tokens/current");
    } catch (error) {
      if (error.status !== 401) throw error;
    }
    this.#change(null);
  }

  /** Replace the user with the response to an edit of the account. */
  update(user) {
    this.#change(user);
  }

  /** Change some fields of the user. */
  patch(fields) {
    if (this.user) this.#change({ ...this.user, ...fields });
  }

  async #startSession(path, body) {
    // The browser keeps the tokens in HttpOnly cookies, which scripts cannot read.
    const response = await this.#api.post(path, { ...body, cookie: true }, { anonymous: true });
    if (!this.#api.hasSession()) throw new ApiError(0, { code: "cookies_blocked", detail: COOKIES_BLOCKED });
    this.#api.recordExpiry(response);
    this.#api.bindToSession();
    this.#change(response.user ?? (await this.#api.get("/users/me")));
  }

  #change(user) {
    const before = this.id;
    this.#setUser(user);
    this.dispatchEvent(new CustomEvent("change", { detail: { before, now: this.id } }));
  }

  #setUser(user) {
    this.user = user;
    this.isRestored = false;
    if (user) deviceValues.set(USER_KEY, user.id);
    else deviceValues.remove(USER_KEY);
  }
}
