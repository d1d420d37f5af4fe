/**
 * Locks across the tabs of this origin.
 *
 * Browsers have locks only for pages from https or from localhost. Elsewhere a lease in localStorage replaces them: a tab
 * that finds no lease writes its own, waits for tabs that write at the same time, and holds the lock if its own lease
 * is still there.
 */

import { deviceValues } from "../elements/kept_values.js";

/** A lease expires after this time, in case its tab was closed. */
const LEASE_MS = 10_000;
/** After this time every tab reads what another one has written, even on a busy machine. */
const SETTLE_MS = 250;

/** Run `task` while no other tab runs a task of the same name; returns its result. */
export async function withTabLock(name, task, { locks = navigator.locks } = {}) {
  if (locks) return locks.request(name, task);
  const key = `${name}.lease`;
  const mine = Math.random().toString(36).slice(2);
  while (holder(key) !== mine) {
    if (holder(key) === null) deviceValues.set(key, `${mine} ${Date.now() + LEASE_MS}`);
    await new Promise((resolve) => {
      setTimeout(resolve, SETTLE_MS * (1 + Math.random()));
    });
  }
  try {
    return await task();
  } finally {
    if (holder(key) === mine) deviceValues.remove(key);
  }
}

/**
 * Run `task`, which may last for hours, once no other tab runs one of this name; returns its result.
 *
 * When a tab is closed, the task of the next one begins. Where browsers have no locks it begins at once, so that two
 * tabs may run it at the same time.
 */
export async function withLongTabLock(name, task, { locks = navigator.locks } = {}) {
  return locks ? locks.request(name, task) : task();
}

/** Return whether no tab runs a task of this name; true where browsers have no locks. */
export async function isLockFree(name, { locks = navigator.locks } = {}) {
  return locks ? locks.request(name, { ifAvailable: true }, (lock) => lock !== null) : true;
}

function holder(key) {
  const [id, until] = (deviceValues.get(key) ?? "").split(" ");
  return id && Number(until) > Date.now() ? id : null;
}
