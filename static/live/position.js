/**
 * Where in a stream somebody stands: an epoch, and within it the offset of the newest publication that they have.
 *
 * A stream moves in steps `{epoch, from, to, publications, gap}`: whoever stands at `from` and takes the
 * publications stands at `to`, and has missed nothing, unless `gap` says that what lies between cannot be told.
 * Without an epoch it is a publication that has no place, and moves nobody. Offsets only grow within an epoch; they are not consecutive, so only `from` shows that something is missing.
 */

import { isObject } from "./protocol.js";

export class Position {
  epoch = "";
  offset = 0;
  /** Whether it stands anywhere at all. */
  known = false;

  /** Stand at a place. */
  move({ epoch, offset }) {
    this.epoch = epoch;
    this.offset = offset;
    this.known = true;
  }

  /** Return the fields of a connect request that ask for what was missed. */
  request() {
    return { recover: true, epoch: this.epoch, offset: this.offset };
  }

  /** Return the step that the server's answer to a request is, and make it; null for a stream without positions. */
  resume(result) {
    if (!isObject(result) || !(result.recoverable || result.positioned)) return null;
    const [epoch, to] = [result.epoch ?? "", numberOf(result.offset)];
    const recovered = this.known && result.recovered === true;
    const missed = Array.isArray(result.publications) ? result.publications.filter(isObject) : [];
    const step = {
      epoch,
      from: this.known ? this.offset : to,
      to,
      publications: recovered ? missed.map(publicationOf) : [],
      gap: this.known && !recovered,
    };
    this.move({ epoch, offset: to });
    return step;
  }

  /** Return the step that a live publication is, and make it; null for one that brings nothing new. */
  follow(publication) {
    const published = publicationOf(publication);
    const { epoch, offset: from } = this;
    const to = published.offset;
    if (!this.known || to === 0) return { epoch: null, from: 0, to: 0, publications: [published], gap: false };
    if (to <= from) return null;
    this.offset = to;
    return { epoch, from, to, publications: [published], gap: false };
  }

  /**
   * Take a step that somebody else made; returns `{publications, gap, behind}`: what is new here, whether something
   * was missed for good, or whether the step begins beyond this position (nothing was taken then).
   */
  take({ epoch, from, to, publications, gap }) {
    if (epoch === null) return { publications, gap: false, behind: false };
    const here = this.known && epoch === this.epoch;
    const behind = here && !gap && this.offset < from;
    if (behind) return { publications: [], gap: false, behind };
    const missed = (this.known && !here) || (here && gap && this.offset < to);
    const fresh = missed ? [] : publications.filter(({ offset }) => !here || !offset || offset > this.offset);
    this.move({ epoch, offset: here ? Math.max(this.offset, to) : to });
    return { publications: fresh, gap: missed, behind };
  }
}

function publicationOf({ offset, data }) {
  return { offset: numberOf(offset), data };
}

function numberOf(value) {
  return Number.isFinite(value) ? value : 0;
}
