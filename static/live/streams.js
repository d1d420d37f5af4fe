/** The streams as one tab has heard them: who listens, where the tab stands, and the newest publications. */

import { tell } from "./listeners.js";
import { Position } from "./position.js";

/** Keep so many publications of a stream for tabs that were away for a moment. */
const KEPT = 64;

export class Streams {
  #streams = new Map();

  /** Call `listener({data})` for each publication; returns a function that stops it. */
  on(name, listener) {
    return added(this.#stream(name).listeners, listener);
  }

  /** Call `listener()` when something was missed that cannot be told; returns a function that stops it. */
  onGap(name, listener) {
    return added(this.#stream(name).gapListeners, listener);
  }

  /** Return where this tab stands: {stream: {epoch, offset}}. */
  positions() {
    const known = [...this.#streams].filter(([, { position }]) => position.known);
    return Object.fromEntries(known.map(([name, { position: { epoch, offset } }]) => [name, { epoch, offset }]));
  }

  /**
   * Learn that what this page has fetched shows a stream up to a place. Where this tab begins to hear the stream only
   * behind that, something was missed, and the listeners are told so.
   */
  fetched(name, position) {
    const stream = this.#stream(name);
    stream.shown = position;
    if (stream.position.known) compare(stream);
  }

  /** Begin from somebody else's positions in the streams of which nothing was heard yet. */
  adopt(positions) {
    for (const [name, position] of Object.entries(positions)) {
      const stream = this.#stream(name);
      if (stream.position.known) continue;
      stream.position.move(position);
      stream.since = position.offset;
      begin(stream, position);
    }
  }

  /** Take a step of a stream and tell the listeners; returns false if it begins beyond what this tab has. */
  take(name, step) {
    const stream = this.#stream(name);
    const anew = !stream.position.known;
    const { publications, gap, behind } = stream.position.take(step);
    if (behind) return false;
    if (gap || anew) Object.assign(stream, { log: [], since: gap ? step.to : step.from });
    keep(stream, publications);
    if (anew && stream.position.known) begin(stream, { epoch: step.epoch, offset: step.from });
    if (gap) for (const listener of stream.gapListeners) tell(listener);
    for (const { data } of publications) for (const listener of stream.listeners) tell(listener, { data });
    return true;
  }

  /** Return the step from another tab's position to this one's, or null if it has missed nothing. */
  catchUp(name, { epoch, offset }) {
    const { position, log, since } = this.#stream(name);
    if (!position.known || (epoch === position.epoch && offset >= position.offset)) return null;
    const told = epoch === position.epoch && offset >= since;
    const publications = told ? log.filter((item) => item.offset > offset) : [];
    return { epoch: position.epoch, from: offset, to: position.offset, publications, gap: !told };
  }

  /** Forget every position and publication; listeners stay. */
  forget() {
    for (const stream of this.#streams.values()) Object.assign(stream, nothing());
  }

  #stream(name) {
    if (!this.#streams.has(name)) {
      this.#streams.set(name, { listeners: new Set(), gapListeners: new Set(), ...nothing() });
    }
    return this.#streams.get(name);
  }
}

/**
 * A stream of which nothing is known; `log` has all publications after the offset `since`, `begun` is where this tab
 * began to hear it, `shown` up to where the page shows it from elsewhere.
 */
function nothing() {
  return { position: new Position(), log: [], since: 0, begun: null, shown: null };
}

function begin(stream, { epoch, offset }) {
  stream.begun = { epoch, offset };
  if (stream.shown) compare(stream);
}

function compare({ begun, shown, gapListeners }) {
  if (shown.epoch === begun.epoch && shown.offset >= begun.offset) return;
  for (const listener of gapListeners) tell(listener);
}

function keep(stream, publications) {
  stream.log.push(...publications.filter(({ offset }) => offset));
  while (stream.log.length > KEPT) stream.since = stream.log.shift().offset;
}

function added(set, listener) {
  set.add(listener);
  return () => set.delete(listener);
}
