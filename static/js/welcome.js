/** Sign in and sign up. */

import { h } from "./dom.js";
import { field, form } from "./form.js";
import { squareFrame } from "./photo_image.js";

/** The window from which photos stand beside the form; css/forms.css has the same. */
const ROOMY = "(min-width: 54rem)";
const GLIMPSED = 6;

/** Make the page at "/signin". */
export function signInPage(app) {
  const username = field("username", "User name or e-mail", {
    attributes: { autocomplete: "username", autocapitalize: "none", spellcheck: "false", "data-focus": "" },
  });
  const password = field("password", "Password", { kind: "password", attributes: { autocomplete: "current-password" } });
  const sheet = form({
    inputs: [username, password],
    action: "Sign in",
    submit: async () => {
      requireFilled([username, "Who are you?"], [password, "Your password is missing."]);
      await app.session.signIn(username.input.value.trim(), password.input.value);
    },
  });
  return welcome(app, "Sign in", sheet, "New here?", "/signup", "Create an account");
}

/** Make the page at "/signup". */
export function signUpPage(app) {
  const username = field("username", "User name", {
    hint: "Letters, digits, dots and underscores. Others find you by it.",
    attributes: { autocomplete: "username", autocapitalize: "none", spellcheck: "false", "data-focus": "", maxlength: 30 },
  });
  const email = field("email", "E-mail", { kind: "email", hint: "Never shown to others.", attributes: { autocomplete: "email" } });
  const displayName = field("display_name", "Name", { hint: "Optional. Stands beside your photos.", attributes: { autocomplete: "name", maxlength: 60 } });
  const password = field("password", "Password", { kind: "password", attributes: { autocomplete: "new-password" } });
  const sheet = form({
    inputs: [username, email, displayName, password],
    action: "Create account",
    submit: async () => {
      requireFilled([username, "Choose a user name."], [email, "Your e-mail is missing."], [password, "Choose a password."]);
      await app.session.signUp({
        username: username.input.value.trim(),
        email: email.input.value.trim(),
        displayName: displayName.input.value.trim(),
        password: password.input.value,
      });
    },
  });
  return welcome(app, "Create an account", sheet, "Already have an account?", "/signin", "Sign in");
}

function welcome(app, heading, sheet, question, path, answer) {
  const element = h(
    "div.welcome",
    {},
    h(
      "div.pitch",
      {},
      h("span.wordmark", {}, h("img", { src: "/static/icons/picshare.svg", alt: "" }), "PicShare"),
      h("h1", {}, "Your people’s photos, the moment they share them."),
      h("p", {}, "No reloading and no waiting: photos, likes and comments arrive while you look."),
      glimpse(app),
    ),
    h("div.sheet.form", {}, h("h2", {}, heading), sheet, h("p.other", {}, `${question} `, h("a", { href: path }, answer))),
  );
  return { title: heading, element };
}

/** Return some of the newest public photos, where the window has room for them; nothing, if there are none. */
function glimpse(app) {
  const element = h("div.glimpse", { "aria-hidden": "true" });
  if (!matchMedia(ROOMY).matches) return null;
  app.api
    .get("/photos", { limit: GLIMPSED })
    .then(({ items }) => {
      if (items.length < GLIMPSED) element.remove();
      else for (const photo of items) element.append(squareFrame(photo, 200));
    })
    .catch(() => element.remove());
  return element;
}

function requireFilled(...pairs) {
  const empty = pairs.filter(([item]) => item.input.value.trim() === "");
  if (empty.length === 0) return;
  throw Object.assign(new Error("Something is missing."), {
    fields: Object.fromEntries(empty.map(([item, message]) => [item.name, message])),
  });
}
