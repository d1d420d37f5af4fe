/** The pages to which a provider sends the browser back: one ends a sign-in, the other links the provider. */

import { offerToRestore } from "./account_deletion.js";
import { suspendedAccount } from "../reports/decisions.js";
import { emptyPage, fill, h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { codeStep } from "./sign_in.js";
import { t } from "../elements/texts.js";

/** By the word that the server adds to the address of a page. */
const ERRORS = {
  refused: [t("You are not signed in"), t("The provider has not signed you in, or you have declined.")],
  expired: [t("Start again"), t("The sign-in took too long, was used before, or began in another browser.")],
  unavailable: [t("The provider does not respond"), t("Try again later, or sign in another way.")],
  invalid: [t("This did not work"), t("The provider's response is not valid. If this happens again, tell the operator of this site.")],
};

/** Create the page at "/signin/provider", which ends a sign-in. */
export function providerSignInPage(app) {
  const element = h("div.provider-page", {}, h("h1.visually-hidden", {}, t("Sign in")), h("div.spinner", { role: "status", "aria-label": t("Signing in") }));
  const finish = async (fields) => {
    try {
      await app.session.signInWithProvider(fields);
    } catch (error) {
      await explain(error);
    }
  };
  // A wrong code is shown at its field.
  const refused = (error) => {
    if (!error.token) throw error;
    fill(element, suspendedAccount(app, error.token));
  };
  const explain = async (error) => {
    if (error.profile) {
      fill(element, signUpSheet(app, error.profile));
      app.router.setTitle(t("Create your account"));
    } else if (error.token) fill(element, suspendedAccount(app, error.token));
    else if (error.code === "second_factor_required") {
      fill(element, codeSheet(app, error.challenge, refused));
      app.router.setTitle(t("Enter your code"));
    } else if (error.code === "deletion_pending") {
      if (await offerToRestore(error)) await finish({ restore: true });
      else app.router.go("/signin", { replace: true });
    } else if (error.code === "sign_in_expired") fill(element, failure("expired", "/signin", t("Sign in")));
    else fill(element, emptyPage("cloud", t("Could not sign you in"), error.message, h("a.button", { href: "/signin" }, t("Back"))));
  };
  const error = errorInAddress();
  if (error) fill(element, failure(error, "/signin", t("Back")));
  else finish();
  return { title: t("Sign in"), element };
}

/** Create the page at "/settings/provider", which links an account at a provider with that of the user. */
export function providerLinkPage(app) {
  const element = h("div", {}, h("div.page-head", {}, h("h1", {}, t("Linking"))), h("div.spinner", { role: "status", "aria-label": t("Linking") }));
  const link = async () => {
    try {
      const { label } = await app.api.post("/users/me/identities");
      app.toasts.show(t("You can sign in with {provider} now.", { provider: label }), { iconName: "check" });
      app.router.go("/settings/security", { replace: true });
    } catch (error) {
      fill(element, emptyPage("link", t("Not linked"), error.message, back()));
    }
  };
  const back = () => h("a.button", { href: "/settings/security" }, t("Back"));
  const error = errorInAddress();
  if (error) fill(element, failure(error, "/settings/security", t("Back")));
  else link();
  return { title: t("Linking"), element };
}

function errorInAddress() {
  const error = new URLSearchParams(location.search).get("error");
  return error && (ERRORS[error] ? error : "invalid");
}

function failure(error, path, action) {
  return emptyPage(error === "unavailable" ? "cloud" : "lock", ...ERRORS[error], h("a.button", { href: path }, action));
}

/** Return the form of a user without an account, with what the provider says about the user. */
function signUpSheet(app, profile) {
  const username = field("username", t("User name"), {
    hint: t("Letters, digits, dots and underscores. Others can find you by it."),
    attributes: { autocomplete: "username", autocapitalize: "none", spellcheck: "false", "data-focus": "", maxlength: 30, value: profile.username },
  });
  const email = field("email", t("E-mail"), { kind: "email", hint: t("Never shown to others."), attributes: { autocomplete: "email", value: profile.email } });
  const name = field("display_name", t("Name"), { hint: t("Optional. Shown with your photos."), attributes: { autocomplete: "name", maxlength: 60, value: profile.display_name } });
  const sheet = form({
    inputs: [username, email, name],
    action: t("Create account"),
    submit: async () => {
      const fields = { username: username.input.value.trim(), email: email.input.value.trim(), display_name: name.input.value.trim() };
      const missing = { username: fields.username === "" && t("Choose a user name."), email: fields.email === "" && t("Enter your e-mail.") };
      if (missing.username || missing.email) throw Object.assign(new Error(t("Fill in the missing fields.")), { fields: missing });
      await app.session.signInWithProvider(fields);
    },
  });
  return h(
    "div.provider-sheet.form",
    {},
    h("h1", {}, t("Create your account")),
    h("p.secondary", {}, t("From now on you sign in with your provider, without a password of your own.")),
    sheet,
    h("p.secondary.small", {}, t("You have an account already? <link>Sign in with its password</link>, and link the provider in the settings.", { link: (text) => h("a.link", { href: "/signin" }, text) })),
  );
}

function codeSheet(app, challenge, failed) {
  const back = () => app.router.go("/signin", { replace: true });
  return h("div.provider-sheet.form", {}, h("h1", {}, t("Enter your code")), codeStep(app, challenge, { back, failed }));
}
