/** The section of the settings about signing in: password, two-factor sign-in and passkeys. */

import { fill, h } from "../elements/dom.js";
import { checkbox, field, form } from "../elements/form.js";
import { t } from "../elements/texts.js";
import { linkedProviders } from "../account/linked_providers.js";
import { PasskeyList } from "../account/passkey_list.js";
import { SecondFactor } from "../account/second_factor.js";

/** Create the page at "/settings/security". */
export function securitySection(app) {
  const factor = new SecondFactor(app);
  const passkeys = new PasskeyList(app);
  const password = h("div", {}, passwordForm(app));
  app.api
    .get("/users/me/identities")
    .then(({ password: hasPassword }) => {
      if (!hasPassword) fill(password, h("p.secondary", {}, t("Your account has none: you sign in with a provider. To get one, sign out and follow “Forgot password?”.")));
    })
    .catch(() => {}); // The form explains what is wrong.
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Security"))),
    h(
      "div.settings-parts",
      {},
      h("section", { "aria-label": t("Password") }, h("h2", {}, t("Password")), password),
      factor.element,
      passkeys.element,
      linkedProviders(app),
    ),
  );
  return { title: t("Security"), element };
}

function passwordForm(app) {
  const current = field("current_password", t("Current password"), { kind: "password", attributes: { autocomplete: "current-password" } });
  const chosen = field("new_password", t("New password"), {
    kind: "password",
    hint: t("At least 8 characters. You are signed out everywhere else."),
    attributes: { autocomplete: "new-password", maxlength: 256 },
  });
  const apps = checkbox("end_apps", t("Disconnect all apps too"), t("They and your access tokens lose their access to your account."), false);
  // Password managers store the new password for this name.
  const username = h("input", { type: "text", autocomplete: "username", value: app.session.user.username, hidden: true, readonly: true });
  const sheet = form({
    inputs: [current, chosen, apps],
    action: t("Change password"),
    submit: async () => {
      const body = { current_password: current.input.value, new_password: chosen.input.value };
      const missing = { current_password: t("Enter your current password."), new_password: t("Choose a new password.") };
      const empty = Object.entries(missing).filter(([name]) => body[name] === "");
      if (empty.length > 0) throw Object.assign(new Error(t("Fill in both fields.")), { fields: Object.fromEntries(empty) });
      try {
        await app.api.patch("/users/me/password", { ...body, end_apps: apps.input.checked });
      } catch (error) {
        // The API names the field of the confirming password.
        if (error.fields?.password) error.fields.current_password = error.fields.password;
        throw error;
      }
      current.input.value = "";
      chosen.input.value = "";
      app.toasts.show(t("Your password is changed."), { iconName: "check" });
    },
  });
  sheet.prepend(username);
  return sheet;
}
