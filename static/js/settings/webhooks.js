/** The page with all webhooks of the user. */

import { emptyState, fill, h, icon } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { unavailable } from "../elements/unavailable.js";
import { secretDialog, webhookDialog } from "./webhook_dialogs.js";

const STATES = {
  unverified: t("Not verified"),
  active: t("Active"),
  paused: t("Paused"),
  disabled: t("Disabled"),
};

/** Create the page at "/settings/webhooks". */
export function webhooksPage(app) {
  const content = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading your webhooks") }));
  const load = async () => {
    try {
      draw((await app.api.get("/webhooks")).items);
    } catch (error) {
      fill(content, unavailable(app, { heading: t("Could not load your webhooks"), error, again: load }));
    }
  };
  const draw = (webhooks) => {
    const rows = webhooks.map((webhook) => h("li", {}, row(webhook)));
    const none = () => emptyState("link", t("No webhooks yet"), t("Your own programs can learn at once what happens with your photos."));
    fill(content, rows.length > 0 ? h("ul.user-list.panel", {}, rows) : none());
  };
  const create = () =>
    webhookDialog({
      heading: t("New webhook"),
      action: t("Create"),
      save: async (body) => {
        const created = await app.api.post("/webhooks", body);
        app.router.go(`/settings/webhooks/${created.id}`);
        secretDialog(app, created);
      },
    });
  load();
  const button = h("button.button.plain.compact", { type: "button", onclick: create }, icon("plus"), t("New webhook"));
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Webhooks")), button),
    h("p.secondary.page-text", {}, t("PicShare sends a message to an address of yours when something happens, for example when a photo was liked.")),
    content,
  );
  return { title: t("Webhooks"), element };
}

/** Return the state of a webhook as a mark with a text. */
export function stateMark(state) {
  return h("span.webhook-state", { data: { state } }, STATES[state] ?? state);
}

function row({ id, url, description, state }) {
  return h(
    "a.user-row",
    { href: `/settings/webhooks/${id}` },
    h("span.user-names", {}, h("span.name", {}, h("bdi", {}, description || new URL(url).host)), h("span.handle.secondary.small", {}, url)),
    stateMark(state),
  );
}
