/** The streams of one tab: their listeners, the tab's position in each, and the newest publications. */

import { callListener } from "./listeners.js";
import { Position } from "./position.js";

/** Publications kept of each stream, for tabs that were suspended for a moment. */
const LOG_SIZE = 64;

export class Streams {
  #streams = new Map();

  /** Call `listener({data})` for each publication; returns a function that removes it. */
  on(name, listener) {
    return added(this.#stream(name).listeners, listener);
  }

  /** Call `listener()` when publications were missed that are no longer available; returns a function that removes it. */
  onGap(name, listener) {
    return added(this.#stream(name).gapListeners, listener);
  }

  /** Return this tab's positions: {stream: {epoch, offset}}. */
  positions() {
    const known = [...this.#streams].filter(([, { position }]) => position.known);
    return Object.fromEntries(known.map(([name, { position: { epoch, offset } }]) => [name, { epoch, offset }]));
  }

  /**
   * Note the position up to which the page has fetched a stream by other means.
   *
   * If this tab begins to receive the stream after that position, something was missed, and the gap listeners are called.
   */
  fetched(name, position) {
    const stream = this.#stream(name);
    stream.fetched = position;
    if (stream.position.known) checkFetched(stream);
  }

  /** Take another tab's positions for the streams of which this tab has received nothing yet. */
  initialize(positions) {
    for (const [name, position] of Object.entries(positions)) {
      const stream = this.#stream(name);
      if (stream.position.known) continue;
      stream.position.set(position);
      stream.logStart = position.offset;
      begin(stream, position);
    }
  }

  /** Apply an update of a stream and call the listeners; returns false if it begins after this tab's position. */
  apply(name, update) {
    const stream = this.#stream(name);
    const first = !stream.position.known;
    const { publications, gap, incomplete } = stream.position.applyUpdate(update);
    if (incomplete) return false;
    if (gap || first) Object.assign(stream, { log: [], logStart: gap ? update.to : update.from });
    appendToLog(stream, publications);
    if (first && stream.position.known) begin(stream, { epoch: update.epoch, offset: update.from });
    if (gap) for (const listener of stream.gapListeners) callListener(listener);
    for (const { data } of publications) for (const listener of stream.listeners) callListener(listener, { data });
    return true;
  }

  /** Return the update from another tab's position to this one's, or null if it has missed nothing. */
  updateSince(name, { epoch, offset }) {
    const { position, log, logStart } = this.#stream(name);
    if (!position.known || (epoch === position.epoch && offset >= position.offset)) return null;
    const complete = epoch === position.epoch && offset >= logStart;
    const publications = complete ? log.filter((item) => item.offset > offset) : [];
    return { epoch: position.epoch, from: offset, to: position.offset, publications, gap: !complete };
  }

  /** Forget every position and publication; listeners stay. */
  reset() {
    for (const stream of this.#streams.values()) Object.assign(stream, initialState());
  }

  #stream(name) {
    if (!this.#streams.has(name)) {
      this.#streams.set(name, { listeners: new Set(), gapListeners: new Set(), ...initialState() });
    }
    return this.#streams.get(name);
  }
}

/**
 * The state of a stream before its first update: `log` has all publications after the offset `logStart`, `begin` is the
 * position at which this tab began to receive it, `fetched` the position up to which the page has fetched it.
 */
function initialState() {
  return { position: new Position(), log: [], logStart: 0, begin: null, fetched: null };
}

function begin(stream, { epoch, offset }) {
  stream.begin = { epoch, offset };
  if (stream.fetched) checkFetched(stream);
}

function checkFetched({ begin, fetched, gapListeners }) {
  if (fetched.epoch === begin.epoch && fetched.offset >= begin.offset) return;
  for (const listener of gapListeners) callListener(listener);
}

function appendToLog(stream, publications) {
  stream.log.push(...publications.filter(({ offset }) => offset));
  while (stream.log.length > LOG_SIZE) stream.logStart = stream.log.shift().offset;
}

function added(set, listener) {
  set.add(listener);
  return () => set.delete(listener);
}
