/** Who is signed in, and how that begins and ends: in this tab, or in another one of the same browser. */

/** Where tabs read who is signed in. */
const PERSON_KEY = "picshare.person";

export class Session extends EventTarget {
  #api;
  /** The account that is signed in, or null. */
  user = null;

  constructor(api) {
    super();
    this.#api = api;
    api.onSignedOut = () => this.#change(null);
    addEventListener("storage", ({ key, newValue }) => {
      if (key === PERSON_KEY && newValue !== this.id) this.check().catch(() => {}); // the next request will tell
    });
  }

  get id() {
    return this.user?.id ?? null;
  }

  /** Find out who is signed in; leaves `user` null when nobody is. */
  async start() {
    if (!this.#api.hasSession()) return;
    this.#api.adoptSession();
    try {
      this.#take(await this.#api.get("/users/me"));
    } catch (error) {
      if (error.status !== 401) throw error;
    }
  }

  /** Find out whether the session still stands, and whose it is; if that has changed, everybody is told. */
  async check() {
    const user = this.#api.hasSession() ? await this.#api.get("/users/me") : null;
    this.#api.adoptSession();
    if (user?.id !== this.user?.id) this.#change(user);
  }

  async signIn(username, password) {
    await this.#begin("/tokens", { username, password });
  }

  async signUp({ username, email, password, displayName }) {
    const body = { username, email, password };
    if (displayName) body.display_name = displayName;
    await this.#begin("/users", body);
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

  /** Take over what an edit of one's own account answered. */
  update(user) {
    this.#change(user);
  }

  async #begin(path, body) {
    // The browser keeps the tokens as HttpOnly cookies, out of the reach of scripts.
    const answer = await this.#api.post(path, { ...body, cookie: true }, { anonymous: true });
    this.#api.noteExpiry(answer);
    this.#api.adoptSession();
    this.#change(answer.user ?? (await this.#api.get("/users/me")));
  }

  #change(user) {
    const before = this.id;
    this.#take(user);
    this.dispatchEvent(new CustomEvent("change", { detail: { before, now: this.id } }));
  }

  #take(user) {
    this.user = user;
    if (user) localStorage.setItem(PERSON_KEY, user.id);
    else localStorage.removeItem(PERSON_KEY);
  }
}
