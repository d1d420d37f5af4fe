/**
 * A position in a stream: an epoch, and the offset of the newest publication received within it.
 *
 * A stream advances by updates `{epoch, from, to, publications, gap}`. A client at `from` that applies the publications
 * is at `to` and has missed nothing, unless `gap` says that some of them are no longer available. An update with a null
 * epoch carries a publication without an offset and moves no position. Offsets only grow within an epoch but are not
 * consecutive, so only `from` shows that something is missing.
 */

import { isObject } from "./protocol.js";

export class Position {
  epoch = "";
  offset = 0;
  /** False until the first update. */
  known = false;

  set({ epoch, offset }) {
    this.epoch = epoch;
    this.offset = offset;
    this.known = true;
  }

  /** Return the fields of a connect request that recover what was missed. */
  recoveryRequest() {
    return { recover: true, epoch: this.epoch, offset: this.offset };
  }

  /** Apply the server's reply to a recovery request and return it as an update; null for a stream without positions. */
  applyReply(result) {
    if (!isObject(result) || !(result.recoverable || result.positioned)) return null;
    const [epoch, to] = [result.epoch ?? "", numberOf(result.offset)];
    const recovered = this.known && result.recovered === true;
    const missed = Array.isArray(result.publications) ? result.publications.filter(isObject) : [];
    const update = {
      epoch,
      from: this.known ? this.offset : to,
      to,
      publications: recovered ? missed.map(publicationOf) : [],
      gap: this.known && !recovered,
    };
    this.set({ epoch, offset: to });
    return update;
  }

  /** Apply a live publication and return it as an update; null if it is already known. */
  applyPublication(publication) {
    const published = publicationOf(publication);
    const { epoch, offset: from } = this;
    const to = published.offset;
    if (!this.known || to === 0) return { epoch: null, from: 0, to: 0, publications: [published], gap: false };
    if (to <= from) return null;
    this.offset = to;
    return { epoch, from, to, publications: [published], gap: false };
  }

  /**
   * Apply an update that another position made.
   *
   * Returns `{publications, gap, incomplete}`: the publications that are new here, whether some were missed for good, and
   * whether the update begins after this position. An incomplete update is not applied.
   */
  applyUpdate({ epoch, from, to, publications, gap }) {
    if (epoch === null) return { publications, gap: false, incomplete: false };
    const sameEpoch = this.known && epoch === this.epoch;
    const incomplete = sameEpoch && !gap && this.offset < from;
    if (incomplete) return { publications: [], gap: false, incomplete };
    const missed = (this.known && !sameEpoch) || (sameEpoch && gap && this.offset < to);
    const isNew = ({ offset }) => !sameEpoch || !offset || offset > this.offset;
    const fresh = missed ? [] : publications.filter(isNew);
    this.set({ epoch, offset: sameEpoch ? Math.max(this.offset, to) : to });
    return { publications: fresh, gap: missed, incomplete };
  }
}

function publicationOf({ offset, data }) {
  return { offset: numberOf(offset), data };
}

function numberOf(value) {
  return Number.isFinite(value) ? value : 0;
}
