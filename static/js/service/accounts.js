/**
 * Distribute to every place that shows something of an account that the account is gone: suspended or deleted.
 *
 * Code that learns of it, from a live publication, calls `hide`; code that shows photos, comments or notifications calls
 * `watch`.
 */

export class Accounts {
  #watchers = new Set();

  /** Call `watcher(userId)` for each account that is gone; returns a function that stops it. */
  watch(watcher) {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Distribute a publication if it is about an account that is gone. */
  received({ type, user_id: userId }) {
    if (type !== "account.hidden") return;
    for (const watcher of [...this.#watchers]) watcher(userId);
  }
}
