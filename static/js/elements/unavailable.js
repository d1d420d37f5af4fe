/** What a page shows in place of what could not be loaded: why, a button, and a new attempt as soon as there is a connection. */

import { emptyPage, emptyState, h } from "./dom.js";
import { t } from "./texts.js";

/**
 * Return it for an `ApiError`; `again()` loads it once more, and `page` makes its heading that of the page.
 *
 * Of what needs a connection, "Not available offline" is shown in place of the heading.
 */
export function unavailable(app, { heading, error, again, page = false }) {
  const isAway = error.code === "unreachable";
  const button = h("button.button.plain", { type: "button", onclick: () => attempt() }, t("Try again"));
  const text = isAway ? t("There is no connection to PicShare. This opens by itself as soon as there is one.") : error.message;
  const element = (page ? emptyPage : emptyState)("cloud", isAway ? t("Not available offline") : heading, text, button);
  const attempt = () => {
    app.removeEventListener("connected", attemptIfShown);
    again();
  };
  const attemptIfShown = () => {
    if (element.isConnected) attempt();
    else app.removeEventListener("connected", attemptIfShown);
  };
  if (isAway) app.addEventListener("connected", attemptIfShown);
  return element;
}
