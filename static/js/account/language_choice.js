/** The choice of the language: in the settings, where the account keeps it, and on the pages for visitors. */

import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { AUTOMATIC, LANGUAGES } from "../service/page_language.js";

/** Return the section of the settings: it changes the language at once, here and for what the server writes. */
export function languageSection(app) {
  const select = choices(app.session.user.language ?? AUTOMATIC);
  const hint = h("p.hint", { id: "language-hint" }, t("Of this page, and of mails and notifications to you."));
  const error = h("p.error", { role: "alert", hidden: true });
  select.setAttribute("aria-describedby", "language-hint");
  select.addEventListener("change", async () => {
    error.hidden = true;
    try {
      const user = await app.api.patch("/users/me", { language: select.value });
      await app.language.choose(user.language);
      app.session.update(user);
    } catch (problem) {
      select.value = app.session.user.language ?? AUTOMATIC;
      fill(error, problem.message);
      error.hidden = false;
    }
  });
  const label = h("label", { for: select.id }, t("Language"));
  return h("section", { "aria-label": t("Language") }, h("h2", {}, t("Language")), h("div.field", {}, label, select, hint, error));
}

/** Return the choice for visitors, which this browser keeps. */
export function visitorLanguage(app) {
  const select = choices(app.language.chosen);
  select.addEventListener("change", () => app.language.choose(select.value).catch((error) => app.toasts.error(error)));
  return h("div.visitor-language", {}, h("label.small.secondary", { for: select.id }, t("Language")), select);
}

function choices(chosen) {
  const names = [[AUTOMATIC, t("Automatic")], ...Object.entries(LANGUAGES)];
  const options = names.map(([value, name]) => h("option", { value, selected: value === chosen, lang: value in LANGUAGES ? value : null }, name));
  return h("select", { id: "language", name: "language" }, options);
}
