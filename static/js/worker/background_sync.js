/** What was done without a connection, sent by the browser after the last page was closed (Background Sync). */

import { KeptRecords } from "../pending/kept_records.js";
import { CHANNEL, sendAll } from "../pending/sending.js";
import { WorkerApi } from "./worker_api.js";

/** The name under which pages register it. */
export const SYNC_TAG = "picshare.pending";

/** Send it, of the user who is signed in now; an error makes the browser try again later. */
export async function sendInBackground() {
  const api = await WorkerApi.open();
  if (!api) return;
  const { id } = await api.get("/users/me");
  const channel = new BroadcastChannel(CHANNEL);
  const report = (type, record, result) => channel.postMessage({ type, record, result });
  try {
    await sendAll({ api, records: new KeptRecords(), user: id, report });
  } finally {
    channel.close();
  }
}
