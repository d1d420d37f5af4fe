/** The pages to which a provider sends the browser back: one ends a sign-in, the other links the provider. */

import { offerToRestore } from "./account_deletion.js";
import { suspendedAccount } from "../reports/decisions.js";
import { emptyPage, fill, h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { codeStep } from "./sign_in.js";

/** By the word that the server adds to the address of a page. */
const ERRORS = {
  refused: ["You are not signed in", "The provider has not signed you in, or you have declined."],
  expired: ["Start again", "The sign-in took too long, was used before, or began in another browser."],
  unavailable: ["The provider does not respond", "Try again later, or sign in another way."],
  invalid: ["This did not work", "The provider's response is not valid. If this happens again, tell the operator of this site."],
};

/** Create the page at "/signin/provider", which ends a sign-in. */
export function providerSignInPage(app) {
  const element = h("div.provider-page", {}, h("h1.visually-hidden", {}, "Sign in"), h("div.spinner", { role: "status", "aria-label": "Signing in" }));
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
      app.router.setTitle("Create your account");
    } else if (error.token) fill(element, suspendedAccount(app, error.token));
    else if (error.code === "second_factor_required") {
      fill(element, codeSheet(app, error.challenge, refused));
      app.router.setTitle("Enter your code");
    } else if (error.code === "deletion_pending") {
      if (await offerToRestore(error)) await finish({ restore: true });
      else app.router.go("/signin", { replace: true });
    } else if (error.code === "sign_in_expired") fill(element, failure("expired", "/signin", "Sign in"));
    else fill(element, emptyPage("cloud", "Could not sign you in", error.message, h("a.button", { href: "/signin" }, "Back")));
  };
  const error = errorInAddress();
  if (error) fill(element, failure(error, "/signin", "Back"));
  else finish();
  return { title: "Sign in", element };
}

/** Create the page at "/settings/provider", which links an account at a provider with that of the user. */
export function providerLinkPage(app) {
  const element = h("div", {}, h("div.page-head", {}, h("h1", {}, "Linking")), h("div.spinner", { role: "status", "aria-label": "Linking" }));
  const link = async () => {
    try {
      const { label } = await app.api.post("/users/me/identities");
      app.toasts.show(`You can sign in with ${label} now.`, { iconName: "check" });
      app.router.go("/settings/security", { replace: true });
    } catch (error) {
      fill(element, emptyPage("link", "Not linked", error.message, back()));
    }
  };
  const back = () => h("a.button", { href: "/settings/security" }, "Back");
  const error = errorInAddress();
  if (error) fill(element, failure(error, "/settings/security", "Back"));
  else link();
  return { title: "Linking", element };
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
  const username = field("username", "User name", {
    hint: "Letters, digits, dots and underscores. Others can find you by it.",
    attributes: { autocomplete: "username", autocapitalize: "none", spellcheck: "false", "data-focus": "", maxlength: 30, value: profile.username },
  });
  const email = field("email", "E-mail", { kind: "email", hint: "Never shown to others.", attributes: { autocomplete: "email", value: profile.email } });
  const name = field("display_name", "Name", { hint: "Optional. Shown with your photos.", attributes: { autocomplete: "name", maxlength: 60, value: profile.display_name } });
  const sheet = form({
    inputs: [username, email, name],
    action: "Create account",
    submit: async () => {
      const fields = { username: username.input.value.trim(), email: email.input.value.trim(), display_name: name.input.value.trim() };
      const missing = { username: fields.username === "" && "Choose a user name.", email: fields.email === "" && "Enter your e-mail." };
      if (missing.username || missing.email) throw Object.assign(new Error("Fill in the missing fields."), { fields: missing });
      await app.session.signInWithProvider(fields);
    },
  });
  return h(
    "div.provider-sheet.form",
    {},
    h("h1", {}, "Create your account"),
    h("p.secondary", {}, "From now on you sign in with your provider, without a password of your own."),
    sheet,
    h("p.secondary.small", {}, "You have an account already? ", h("a.link", { href: "/signin" }, "Sign in with its password"), ", and link the provider in the settings."),
  );
}

function codeSheet(app, challenge, failed) {
  const back = () => app.router.go("/signin", { replace: true });
  return h("div.provider-sheet.form", {}, h("h1", {}, "Enter your code"), codeStep(app, challenge, { back, failed }));
}
