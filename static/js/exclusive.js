/**
 * Let one tab at a time do something.
 *
 * Browsers offer locks only to pages that came over https or from this machine. Elsewhere a lease in
 * localStorage does: who finds none writes its own, waits a moment for whoever wrote at the same time, and
 * holds it if its own is the one that stayed.
 */

/** A lease ends by itself after so many milliseconds, should its tab have been closed. */
const LEASE_MS = 10_000;
/** What one tab writes every other one reads after so many milliseconds, even on a busy machine. */
const SETTLE_MS = 250;

/** Run `task` while no other tab of this origin runs one of the same name; returns what it returns. */
export async function exclusively(name, task, { locks = navigator.locks } = {}) {
  if (locks) return locks.request(name, task);
  const key = `${name}.lease`;
  const mine = Math.random().toString(36).slice(2);
  while (holder(key) !== mine) {
    if (holder(key) === null) localStorage.setItem(key, `${mine} ${Date.now() + LEASE_MS}`);
    await new Promise((resolve) => {
      setTimeout(resolve, SETTLE_MS * (1 + Math.random()));
    });
  }
  try {
    return await task();
  } finally {
    if (holder(key) === mine) localStorage.removeItem(key);
  }
}

function holder(key) {
  const [id, until] = (localStorage.getItem(key) ?? "").split(" ");
  return id && Number(until) > Date.now() ? id : null;
}
