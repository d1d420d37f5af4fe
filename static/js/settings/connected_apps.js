/** The section of the settings with the applications that have access to the user's account. */

import { scopeList } from "../account/authorization.js";
import { confirmDialog, emptyState, fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { timeElement } from "../elements/time.js";

/** Create the page at "/settings/applications". */
export function connectedAppsSection(app) {
  const content = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading your apps") }));
  const heading = h("h1", { tabindex: "-1" }, t("Connected apps"));
  const load = async () => {
    try {
      draw((await app.api.get("/users/me/applications")).items);
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: load }, t("Try again"));
      fill(content, emptyState("cloud", t("Could not load your apps"), error.message, again));
    }
  };
  const draw = (items) => {
    const rows = items.map((item) => h("li", {}, row(item, disconnect)));
    const none = () => emptyState("people", t("No connected apps"), t("When you let an app use your account, it is listed here."));
    fill(content, rows.length > 0 ? h("ul.user-list.panel", {}, rows) : none());
  };
  const disconnect = async ({ client_id: id, name }) => {
    const sure = await confirmDialog({ heading: t("Disconnect {name}?", { name }), text: t("It loses its access to your account at once."), action: t("Disconnect") });
    if (!sure) return;
    try {
      await app.api.delete(`/users/me/applications/${id}`);
    } catch (error) {
      // It was disconnected elsewhere.
      if (error.status !== 404) {
        app.toasts.error(error);
        return;
      }
    }
    await load();
    heading.focus();
  };
  load();
  const element = h(
    "div",
    {},
    h("div.page-head", {}, heading),
    h("p.secondary.page-text", {}, t("These apps can use your account as far as you have let them. Disconnect those that you do not use or know.")),
    content,
  );
  return { title: t("Connected apps"), element };
}

function row({ application, scopes, granted_at: since, last_used_at: used }, disconnect) {
  const { name, website_host: host } = application;
  const button = h("button.button.plain.compact", { type: "button", "aria-label": t("Disconnect {name}", { name }), onclick: () => disconnect(application) }, t("Disconnect"));
  return h(
    "div.access-row",
    {},
    h(
      "div.user-row",
      {},
      h(
        "span.user-names",
        {},
        h("span.name", {}, h("bdi", {}, name)),
        h("span.secondary.small", {}, host && [h("bdi", {}, host), ", "], t("since {time}", { time: timeElement(since, { inSentence: true }) }), ", ", used ? t("last used {time}", { time: timeElement(used, { inSentence: true }) }) : t("not used yet")),
      ),
      button,
    ),
    h("details.access-scopes", {}, h("summary", {}, t("What it may do")), scopeList(scopes)),
  );
}
