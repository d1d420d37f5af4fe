/** Files that other applications share with the installed one, on their way to the page for new photos. */

import { BrowserStore } from "../service/browser_store.js";

/** Where the manifest has them sent. */
export const SHARE_PATH = "/share";

/** Keep the files and the text of a form, and return the response that opens the page. */
export async function receiveShared(request) {
  const store = new BrowserStore("shared");
  const form = await request.formData();
  const files = form.getAll("photos").filter((file) => file instanceof File && file.size > 0);
  const text = ["title", "text", "url"].map((name) => form.get(name)).filter(Boolean).join("\n");
  const size = files.reduce((sum, file) => sum + file.size, 0);
  await store.replace({ id: "shared", user: "", size, savedAt: Date.now(), files, text });
  return Response.redirect("/new?shared=1", 303);
}
