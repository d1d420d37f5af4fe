/** Links to sign in with providers (OpenID Connect). */

import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";

/** Return links to sign in with each provider; nothing is shown while there is none. */
export function providerLinks(app) {
  const element = h("div.providers", { hidden: true });
  app.api
    .get("/oidc/providers")
    .then(({ items }) => {
      element.hidden = items.length === 0;
      const links = items.map(({ name, label }) =>
        h("a.button.plain.full", { href: `/api/v1/oidc/${name}/start`, onclick: () => app.keepPathAfterSignIn() }, t("Continue with {provider}", { provider: label })),
      );
      fill(element, h("p.or", {}, h("span", {}, t("or"))), links);
    })
    .catch(() => {}); // The password still works.
  return element;
}
