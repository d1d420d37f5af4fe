/**
 * Send pending changes in their order: in a page, and in the service worker while no page is open. One of them sends at
 * a time.
 *
 * A record is `{id, user, savedAt, size, subject, method, path, body, text, on, revision, tried, error}`. Its `id` is the
 * Idempotency-Key; `tried` is the time of the first attempt, which may have reached the server, and `error` {status, code,
 * message} why the server has refused it.
 */

import { withTabLock } from "../service/tab_lock.js";

/** The channel on which pages and the service worker report to each other what they have sent. */
export const CHANNEL = "picshare.pending";
/**
 * The server knows an Idempotency-Key for 24 hours. What may have arrived and is older than this is not sent again by
 * itself, so that nothing is created twice.
 */
const KEY_LASTS_MS = 23 * 3600 * 1000;
const DOUBTFUL = { status: 0, code: "doubtful", message: "" };
/** Statuses of refusals that pass, and codes of those that are about the session or the same request. */
const PASSING_STATUSES = [401, 425, 429];
const PASSING_CODES = ["csrf_token_missing", "idempotency_key_in_use"];

/** Return whether the same request may succeed later. */
export function mayPass({ isOutage, status, code }) {
  return Boolean(isOutage) || PASSING_STATUSES.includes(status) || PASSING_CODES.includes(code);
}

/**
 * Send what a user has pending in `records`; throws the first error that may pass.
 *
 * `report(type, record, result)` is called for each that was "sent", with the response, or "refused".
 */
export function sendAll({ api, records, user, report }) {
  return withTabLock("picshare.pending", async () => {
    for (const { id } of await records.list(user)) {
      let left = true;
      // The user may have changed their mind while it was sent.
      while (left) left = await sendOne({ api, records, report }, id);
    }
  });
}

/** Send a record; return whether it has to be sent again. */
async function sendOne({ api, records, report }, id) {
  const now = Date.now();
  const record = await records.change(id, (found) => (found.error ? found : attempted(found, now)));
  if (!record || record.error) {
    if (record?.error === DOUBTFUL) report("refused", record);
    return false;
  }
  const settled = (found) => (found.revision === record.revision ? null : found);
  try {
    const key = record.method === "POST" ? record.id : undefined;
    const result = await api.request(record.method, record.path, { body: record.body, key });
    const left = await records.change(id, settled);
    if (!left) report("sent", record, result);
    return left !== null;
  } catch (error) {
    if (mayPass(error)) throw error;
    // Nothing can be taken back from what is gone.
    const isDone = record.method === "DELETE" && error.status === 404;
    const { status, code, message } = error;
    const refused = (found) => settled(found) ?? (isDone ? null : { ...found, error: { status, code, message } });
    const left = await records.change(id, refused);
    if (isDone && !left) report("sent", record, null);
    if (left?.error) report("refused", left);
    return Boolean(left && !left.error);
  }
}

function attempted(record, now) {
  const isDoubtful = record.method === "POST" && record.tried && now - record.tried > KEY_LASTS_MS;
  return isDoubtful ? { ...record, error: DOUBTFUL } : { ...record, tried: record.tried ?? now };
}
