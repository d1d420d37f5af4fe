/** What a page shows in place of what could not be loaded: why, a button, and a new attempt as soon as there is a connection. */

import { emptyPage, emptyState, h } from "./dom.js";
import { t } from "./texts.js";

/** While the service is away, the page looks for it again after this time. */
const LOOK_AGAIN_MS = 10_000;
/** Attempts at what a connection is missing for. A page may have several parts, which one button tries together. */
const waiting = new Set();

/**
 * Return it for an `ApiError`; `again()` loads it once more, and `page` makes its heading that of the page.
 *
 * Of what needs a connection, "Not available offline" is shown in place of the heading.
 */
export function unavailable(app, { heading, error, again, page = false }) {
  const isAway = error.code === "unreachable";
  const button = h("button.button.plain", { type: "button", onclick: () => (isAway ? tryAll() : again()) }, t("Try again"));
  const text = isAway ? t("There is no connection to PicShare. This opens by itself as soon as there is one.") : error.message;
  const element = (page ? emptyPage : emptyState)("cloud", isAway ? t("Not available offline") : heading, text, button);
  if (!isAway) return element;
  const attempt = () => {
    app.removeEventListener("connected", attempt);
    waiting.delete(attempt);
    if (element.isConnected) again();
  };
  app.addEventListener("connected", attempt);
  waiting.add(attempt);
  return element;
}

function tryAll() {
  for (const attempt of [...waiting]) attempt();
}

/** What there is without a connection and without a last visit; it gives way to the page as soon as there is one. */
export function unreachablePage(error) {
  const reload = () => location.reload();
  addEventListener("online", reload);
  // "online" says nothing about a server that was away; any response of it will do.
  setInterval(() => document.visibilityState === "visible" && fetch("/sw.js", { method: "HEAD", cache: "no-store" }).then(reload, () => {}), LOOK_AGAIN_MS);
  const again = h("button.button", { type: "button", onclick: reload }, t("Try again"));
  if (error.code !== "unreachable") return emptyPage("cloud", t("PicShare is not responding"), error.message, again);
  const text = t("PicShare cannot be reached from this device. The page opens by itself as soon as the connection is back.");
  return emptyPage("cloud", t("No connection"), text, again);
}
