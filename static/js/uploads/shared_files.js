/** The files that another application has shared with the installed one (worker/shared_files.js). */

import { BrowserStore } from "../service/browser_store.js";

/** What was not taken within this time belongs to no visit any more. */
const MAX_AGE_MS = 3600 * 1000;

/** Return `{files, text}` and forget them; null if there are none. */
export async function takeShared() {
  const store = new BrowserStore("shared");
  const shared = await store.get("shared");
  await store.remove("shared");
  return shared && Date.now() - shared.savedAt < MAX_AGE_MS ? shared : null;
}
