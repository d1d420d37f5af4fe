/** The pages to sign in and to sign up. */

import { signInOrRestore } from "./account_deletion.js";
import { codeField } from "./code_field.js";
import { suspendedAccount } from "../reports/decisions.js";
import { fill, h, icon, logo } from "../elements/dom.js";
import { field, form, requireValues } from "../elements/form.js";
import { visitorLanguage } from "./language_choice.js";
import { themeChoice } from "../elements/theme.js";
import { PasskeyAutofill } from "./passkey_autofill.js";
import { answerByPasskey, passkeysAvailable } from "./passkeys.js";
import { squareFrame } from "../photo/photo_image.js";
import { providerLinks } from "./providers.js";
import { t } from "../elements/texts.js";

/** From this window width on, photos are shown next to the form; css/forms.css has the same value. */
const WIDE_WINDOW = "(min-width: 54rem)";
const SAMPLE_COUNT = 6;

/** Create the page at "/signin". */
export function signInPage(app) {
  const username = field("username", t("User name or e-mail"), {
    attributes: { autocomplete: "username webauthn", autocapitalize: "none", spellcheck: "false", "data-focus": "" },
  });
  const password = field("password", t("Password"), { kind: "password", attributes: { autocomplete: "current-password" } });
  const passkeys = passkeySignIn(app, (error) => continueOrThrow(error));
  const sheet = form({
    inputs: [username, password],
    action: t("Sign in"),
    submit: async () => {
      requireValues([username, t("Enter your user name or e-mail.")], [password, t("Enter your password.")]);
      try {
        await signInOrRestore(app, username.input.value.trim(), password.input.value);
      } catch (error) {
        continueOrThrow(error);
      }
    },
    extra: [
      h("p.other", {}, h("a", { href: "/forgot" }, t("Forgot password?"))),
      passkeys.element,
    ],
  });
  const continueOrThrow = (error) => {
    if (error.token) fill(page.element, suspendedAccount(app, error.token));
    else if (error.code === "second_factor_required") fill(steps, codeStep(app, error.challenge, { back, failed: continueOrThrow }));
    else throw error;
  };
  const back = (message = null) => {
    fill(steps, message && h("p.form-error", { role: "alert" }, message), sheet);
    password.input.value = "";
    username.input.focus();
  };
  const steps = h("div.sign-in-steps", {}, sheet);
  const page = accountPage(app, t("Sign in"), steps, t("New here?"), "/signup", t("Create an account"));
  const leave = () => {
    passkeys.stop();
    page.leave();
  };
  return { ...page, leave };
}

/**
 * Return `{element, stop()}`: the button for passkeys, and meanwhile their offer among the suggestions for the user name.
 *
 * `failed(error)` continues the sign-in after an error, or throws it.
 */
function passkeySignIn(app, failed) {
  if (!passkeysAvailable()) return { element: null, stop: () => {} };
  const error = h("p.form-error", { role: "alert", hidden: true });
  const show = (problem) => {
    try {
      failed(problem);
    } catch {
      error.textContent = problem.message;
      error.hidden = false;
    }
  };
  const signIn = async (credential) => {
    error.hidden = true;
    await app.session.signInByPasskey(credential).catch(show);
  };
  const autofill = new PasskeyAutofill(app, signIn);
  const ask = async () => {
    error.hidden = true;
    autofill.stop();
    try {
      const { public_key: options } = await app.api.post("/passkeys/challenge", undefined, { anonymous: true });
      const credential = await answerByPasskey(options);
      if (credential) await app.session.signInByPasskey(credential);
    } catch (problem) {
      show(problem);
    }
    if (!app.session.user) autofill.start();
  };
  autofill.start();
  const button = h("button.button.plain.full", { type: "button", onclick: ask }, icon("key"), t("Sign in with a passkey"));
  return { element: h("div.passkey-way", {}, error, button), stop: () => autofill.stop() };
}

/** Return the step that asks for a code; `back()` returns to the first one, and `failed(error)` shows a suspended account. */
export function codeStep(app, challenge, { back, failed }) {
  const code = codeField();
  const sheet = form({
    inputs: [code],
    action: t("Continue"),
    submit: async () => {
      requireValues([code, t("Enter the code.")]);
      try {
        await app.session.signInByCode(challenge, code.input.value.trim());
      } catch (error) {
        if (error.code === "challenge_invalid") back(error.message);
        else failed(error);
      }
    },
    extra: h("button.button.plain.full", { type: "button", onclick: () => back() }, t("Back")),
  });
  setTimeout(() => code.input.focus());
  return sheet;
}

/** Create the page at "/signup". */
export function signUpPage(app) {
  const username = field("username", t("User name"), {
    hint: t("Letters, digits, dots and underscores. Others can find you by it."),
    attributes: { autocomplete: "username", autocapitalize: "none", spellcheck: "false", "data-focus": "", maxlength: 30 },
  });
  const email = field("email", t("E-mail"), { kind: "email", hint: t("Never shown to others."), attributes: { autocomplete: "email" } });
  const displayName = field("display_name", t("Name"), { hint: t("Optional. Shown with your photos."), attributes: { autocomplete: "name", maxlength: 60 } });
  const password = field("password", t("Password"), { kind: "password", attributes: { autocomplete: "new-password" } });
  const sheet = form({
    inputs: [username, email, displayName, password],
    action: t("Create account"),
    submit: async () => {
      requireValues([username, t("Choose a user name.")], [email, t("Enter your e-mail.")], [password, t("Choose a password.")]);
      await app.session.signUp({
        username: username.input.value.trim(),
        email: email.input.value.trim(),
        displayName: displayName.input.value.trim(),
        password: password.input.value,
      });
      app.toasts.show(t("Welcome! Open the link in the mail that we have sent to you, to verify your address."));
    },
  });
  return accountPage(app, t("Create an account"), sheet, t("Already have an account?"), "/signin", t("Sign in"));
}

function accountPage(app, heading, sheet, question, path, answer) {
  const theme = themeChoice({ isNamed: true });
  const element = h(
    "div.sign-in",
    {},
    h(
      "div.intro",
      {},
      h("span.wordmark", {}, logo(), "PicShare"),
      h("h1", {}, t("Photos from your friends, the moment they share them.")),
      h("p", {}, t("New photos, likes and comments appear without reloading.")),
      samplePhotos(app),
    ),
    h("div.sheet.form", {}, h("h2", {}, heading), sheet, providerLinks(app), h("p.other", {}, question, " ", h("a", { href: path }, answer)), theme.element, visitorLanguage(app)),
  );
  return { title: heading, element, leave: theme.leave };
}

/** Return some of the newest public photos; null in a narrow window, and removed if there are too few. */
function samplePhotos(app) {
  const element = h("div.sample-photos", { "aria-hidden": "true" });
  if (!matchMedia(WIDE_WINDOW).matches) return null;
  app.api
    .get("/photos", { limit: SAMPLE_COUNT })
    .then(({ items }) => {
      if (items.length < SAMPLE_COUNT) element.remove();
      else for (const photo of items) element.append(squareFrame(photo, 200));
    })
    .catch(() => element.remove());
  return element;
}
