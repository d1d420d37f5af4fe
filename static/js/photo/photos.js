/**
 * Distribute changes of photos to every place that shows them.
 *
 * The same photo may be shown in a feed, in a grid and on its own page. Code that learns of a change (a response, a live
 * publication, a tap) calls `patch` or `remove`; code that shows a photo calls `watch`.
 */

export class Photos {
  #watchers = new Map();
  /** The newest version of each photo's counters: publications may arrive out of order. */
  #versions = new Map();
  /** The time of the newest edit of each photo. */
  #edits = new Map();

  /** Call `watcher(fields, removed)` on each change of a photo; returns a function that stops it. */
  watch(id, watcher) {
    if (!this.#watchers.has(id)) this.#watchers.set(id, new Set());
    const watchers = this.#watchers.get(id);
    watchers.add(watcher);
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0) this.#watchers.delete(id);
    };
  }

  /** Distribute changed fields, e.g. `{likes: 3, liked: true}`; a `version` that is not newer than the last is ignored. */
  patch(id, { version, ...fields }) {
    if (fields.edited_at) {
      // Descriptions may arrive out of order, too. Times of one format are in the order of their texts.
      if (fields.edited_at < (this.#edits.get(id) ?? "")) fields = withoutDescription(fields);
      else this.#edits.set(id, fields.edited_at);
    }
    if (version !== undefined) {
      if (version <= (this.#versions.get(id) ?? -1)) return;
      this.#versions.set(id, version);
    }
    for (const watcher of [...(this.#watchers.get(id) ?? [])]) watcher(fields, false);
  }

  /** Distribute the removal of a photo. */
  remove(id) {
    for (const watcher of [...(this.#watchers.get(id) ?? [])]) watcher({}, true);
  }
}

function withoutDescription({ sensitive, caption, caption_entities, alt_text, tags, location, taken_at, edited_at, items, ...others }) {
  return others;
}
