/**
 * Keep every place that shows a photo in agreement.
 *
 * The same photo may stand in a feed, in a grid and on its own page. Whoever learns something new about it
 * (an answer, a live publication, a tap) calls `patch` or `remove`; whoever shows it watches.
 */

export class Photos {
  #watchers = new Map();
  /** The greatest version of a photo's counters seen, as publications may overtake each other. */
  #versions = new Map();

  /** Call `watcher(patch, removed)` on each change of a photo; returns a function that stops it. */
  watch(id, watcher) {
    if (!this.#watchers.has(id)) this.#watchers.set(id, new Set());
    const watchers = this.#watchers.get(id);
    watchers.add(watcher);
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0) this.#watchers.delete(id);
    };
  }

  /** Tell that fields of a photo changed, e.g. `{likes: 3, liked: true}`; with a `version`, unless a newer one is known. */
  patch(id, { version, ...fields }) {
    if (version !== undefined) {
      if (version <= (this.#versions.get(id) ?? -1)) return;
      this.#versions.set(id, version);
    }
    for (const watcher of [...(this.#watchers.get(id) ?? [])]) watcher(fields, false);
  }

  /** Tell that a photo is gone. */
  remove(id) {
    for (const watcher of [...(this.#watchers.get(id) ?? [])]) watcher({}, true);
  }
}
