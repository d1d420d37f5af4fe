/** Links to photos and profiles: share them with the system's share sheet, copy them, embed a photo in another page. */

import { h } from "./dom.js";
import { t } from "./texts.js";

/** Return the menu items for the link to a path: its share sheet, where the browser has one, and its copy. */
export function linkItems(app, path, title) {
  const url = new URL(path, location.origin).href;
  return [
    navigator.share && ["forward", t("Share"), () => share(app, { url, title })],
    ["link", t("Copy link"), () => copy(app, url, t("Link copied"))],
  ].filter(Boolean);
}

/** Show the HTML that embeds a photo in another page. */
export function embedDialog(app, path) {
  const src = new URL(`${path}/embed`, location.origin).href;
  const frame = `<iframe src="${src}" width="640" height="736" loading="lazy" style="border:0;border-radius:12px;max-width:100%" title="PicShare"></iframe>`;
  const code = h("textarea", { readonly: true, rows: 4, "aria-label": t("HTML code") }, frame);
  code.addEventListener("focus", () => code.select());
  const dialog = h(
    "dialog",
    { "aria-labelledby": "embed-heading" },
    h("h2", { id: "embed-heading" }, t("Embed this photo")),
    h("p.secondary", {}, t("Paste this code into the HTML of a page. It shows the photo as long as everyone may see it.")),
    h("div.field", {}, code),
    h(
      "div.dialog-actions",
      {},
      h("button.button.plain", { type: "button", onclick: () => dialog.close() }, t("Close")),
      h("button.button", { type: "button", onclick: () => copy(app, code.value, t("Code copied")) }, t("Copy code")),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

async function share(app, data) {
  try {
    await navigator.share(data);
  } catch (error) {
    // Closing the sheet is no failure.
    if (error.name !== "AbortError") await copy(app, data.url, t("Link copied"));
  }
}

async function copy(app, text, done) {
  try {
    await navigator.clipboard.writeText(text);
    app.toasts.show(done, { iconName: "check" });
  } catch {
    // Without a secure context there is no clipboard; the user can copy the text from the toast.
    app.toasts.show(text);
  }
}
