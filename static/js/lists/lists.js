/**
 * The user's lists of accounts, shared by every place that shows them.
 *
 * "change" is dispatched when the lists have changed; its `detail` is the id of the list whose accounts are others now,
 * or null.
 */

/** More lists than a user can have. */
const LIMIT = 100;

export class Lists extends EventTarget {
  #app;
  #loading = null;
  /** The lists, newest first; empty until they are loaded. */
  items = [];

  constructor(app) {
    super();
    this.#app = app;
  }

  /** Load the lists; several calls at once share one request. */
  load() {
    this.#loading ??= this.#loadNow().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #loadNow() {
    const user = this.#app.session.id;
    const { items } = await this.#app.api.get("/lists", { limit: LIMIT });
    if (user === this.#app.session.id) this.#set(items);
  }

  /** Forget the lists, because another user has signed in, or none. */
  clear() {
    this.#loading = null;
    this.#set([]);
  }

  /** Create a list and return it. */
  async create(title) {
    const created = await this.#app.api.post("/lists", { title });
    this.#set([created, ...this.items]);
    return created;
  }

  /** Change the title of a list, and return it. */
  async rename({ id }, title) {
    const renamed = await this.#app.api.patch(`/lists/${id}`, { title });
    this.#set(this.items.map((each) => (each.id === id ? renamed : each)));
    return renamed;
  }

  /** Delete a list. */
  async delete({ id }) {
    await this.#app.api.delete(`/lists/${id}`);
    this.#set(this.items.filter((each) => each.id !== id));
  }

  /** Add a user to a list, or remove the user from it. */
  async setMember({ id }, user, member) {
    const path = `/lists/${id}/accounts/${user.id}`;
    await (member ? this.#app.api.put(path) : this.#app.api.delete(path));
    const change = member ? 1 : -1;
    this.#set(this.items.map((each) => (each.id === id ? { ...each, accounts: Math.max(0, each.accounts + change) } : each)), id);
  }

  #set(items, changed = null) {
    this.items = items;
    this.dispatchEvent(new CustomEvent("change", { detail: changed }));
  }
}
