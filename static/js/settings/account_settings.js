/** The section of the settings about the account: user name, e-mail address and language. */

import { languageSection } from "../account/language_choice.js";
import { h } from "../elements/dom.js";
import { emailSettings } from "./email_settings.js";
import { field, form } from "../elements/form.js";
import { t } from "../elements/texts.js";

/** Create the page at "/settings/account". */
export function accountSection(app) {
  const user = app.session.user;
  const username = field("username", t("User name"), {
    hint: t("3 to 30 letters, digits, dots and underscores. Your former name leads to your profile for 30 days, and no one else can take it."),
    attributes: { maxlength: 30, autocomplete: "username", autocapitalize: "none", spellcheck: "false", value: user.username },
  });
  const sheet = form({
    inputs: [username],
    action: t("Save"),
    submit: async () => {
      app.session.update(await app.api.patch("/users/me", { username: username.input.value.trim() }));
      app.toasts.show(t("Saved"), { iconName: "check" });
    },
  });
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Account"))),
    h(
      "div.settings-parts",
      {},
      sheet,
      emailSettings(app),
      languageSection(app),
    ),
  );
  return { title: t("Account"), element };
}
