/** The part of the settings about sign-in with providers: which are linked, with buttons to link and unlink them. */

import { confirmDialog, fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { dateElement } from "../elements/time.js";

/** Return the part; it is hidden if the site has no providers and none is linked. */
export function linkedProviders(app) {
  const content = h("div");
  const element = h(
    "section",
    { hidden: true },
    h("h2", {}, t("Sign-in with providers")),
    h("p.secondary", {}, t("With a linked provider you can sign in without your password.")),
    content,
  );
  const load = async () => {
    try {
      const [{ items: providers }, { items: identities }] = await Promise.all([app.api.get("/oidc/providers"), app.api.get("/users/me/identities")]);
      element.hidden = providers.length === 0 && identities.length === 0;
      const linked = new Map(identities.map((identity) => [identity.provider, identity]));
      const rows = providers.map((provider) => row(app, provider, linked.get(provider.name), load));
      fill(content, h("ul.user-list.panel", {}, rows.map((item) => h("li", {}, item))));
    } catch (error) {
      element.hidden = false;
      const again = h("button.button.plain", { type: "button", onclick: load }, t("Try again"));
      fill(content, h("p.form-error", { role: "alert" }, error.message), again);
    }
  };
  load();
  return element;
}

function row(app, { name, label }, identity, reload) {
  const facts = identity ? [identity.email && h("bdi", {}, identity.email), identity.email && ", ", t("linked on {date}", { date: dateElement(identity.created_at) })] : t("Not linked");
  const act = async (button) => {
    button.disabled = true;
    try {
      if (identity) await unlink(app, { name, label }, reload);
      else location.assign((await app.api.post(`/users/me/identities/${name}`)).url);
    } catch (error) {
      app.toasts.error(error);
    }
    button.disabled = false;
  };
  const action = identity ? t("Unlink") : t("Link");
  const full = identity ? t("Unlink {provider}", { provider: label }) : t("Link {provider}", { provider: label });
  return h(
    "div.user-row",
    {},
    h("span.user-names", {}, h("span.name", {}, label), h("span.secondary.small", {}, facts)),
    h("button.button.plain.compact", { type: "button", "aria-label": full, onclick: (event) => act(event.currentTarget) }, action),
  );
}

async function unlink(app, { name, label }, reload) {
  const confirmed = await confirmDialog({
    heading: t("Unlink {provider}?", { provider: label }),
    text: t("You cannot sign in with {provider} any more. You can link it again at any time.", { provider: label }),
    action: t("Unlink"),
  });
  if (!confirmed) return;
  await app.api.delete(`/users/me/identities/${name}`);
  app.toasts.show(t("{provider} is unlinked.", { provider: label }));
  await reload();
}
