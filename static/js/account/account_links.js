/** Pages of links in mails, which have a token in the fragment of their address, and the page that requests one. */

import { fill, h, icon, logo } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { t } from "../elements/texts.js";

/** Create the page at "/forgot": it requests a link to choose a new password. */
export function forgotPage(app) {
  const email = field("email", t("E-mail"), {
    kind: "email",
    hint: t("The address of your account."),
    attributes: { autocomplete: "email", "data-focus": "" },
  });
  const sheet = form({
    inputs: [email],
    action: t("Send a link"),
    submit: async () => {
      const address = email.input.value.trim();
      await app.api.post("/password-resets", { email: address }, { anonymous: true });
      page.show(
        t("Look into your mail"),
        h("p", {}, t("If an account has the address {email}, a link to choose a new password is on its way. It is valid for an hour.", { email: h("bdi", {}, address) })),
        h("p.secondary.small", {}, t("Nothing there? Look into the folder for spam, or try the other addresses that you have.")),
        h("a.button.full", { href: "/signin" }, t("Back to sign in")),
      );
    },
  });
  const page = linkPage(t("Forgotten your password?"), sheet, h("p.other", {}, h("a", { href: "/signin" }, t("Back to sign in"))));
  return page;
}

/** Create the page at "/reset#token": it chooses a new password. */
export function resetPage(app) {
  const token = tokenOfAddress();
  const page = linkPage(t("Choose a new password"), h("p.secondary", {}, t("One moment …")));
  page.load(async () => {
    const { username, deletion_due_at: dueAt } = await app.api.request("GET", path("password-resets", token), { anonymous: true });
    page.show(t("Choose a new password"), ...resetForm(app, page, { token, username, deleted: dueAt !== null }));
  }, requestAnother);
  return page;
}

function resetForm(app, page, { token, username, deleted }) {
  const password = field("password", t("New password"), {
    kind: "password",
    hint: t("At least 8 characters. All devices are signed out."),
    attributes: { autocomplete: "new-password", "data-focus": "" },
  });
  const sheet = form({
    inputs: [password],
    action: t("Set password"),
    submit: async () => {
      await app.api.post(path("password-resets", token), { password: password.input.value }, { anonymous: true });
      forgetToken();
      const text = deleted ? t("You can sign in with it, and restore your account.") : t("You can sign in with it now.");
      page.show(t("Your password is set"), h("p", {}, text), h("a.button.full", { href: "/signin" }, t("Sign in")));
      // This browser may have been signed in to the account, whose sessions have ended.
      if (app.session.user) await app.session.check().catch(() => {});
    },
  });
  // For password managers, which keep a password with its user name.
  const hidden = h("input", { type: "text", name: "username", autocomplete: "username", value: username, hidden: true, readonly: true });
  sheet.prepend(hidden);
  return [h("p", {}, t("For the account {name}.", { name: h("bdi", {}, `@${username}`) })), sheet];
}

/** Create the page at "/verify#token": it verifies an address, once its button is used. */
export function verifyPage(app) {
  const token = tokenOfAddress();
  const sheet = form({
    inputs: [],
    action: t("Verify my address"),
    submit: async () => {
      try {
        const { email } = await app.api.post(path("email-verifications", token), {}, { anonymous: true });
        forgetToken();
        page.show(t("Thank you"), h("p", {}, t("{email} is verified.", { email: h("bdi", {}, email) })), h("a.button.full", { href: "/" }, t("Go to PicShare")));
      } catch (error) {
        page.fail(error, () => h("a.button.full", { href: "/settings/account" }, t("Go to your settings")));
      }
    },
  });
  const text = t("Press the button to show that this address is yours. Programs that only look into your mail cannot do that.");
  const page = linkPage(t("Verify your address"), h("p", {}, text), sheet);
  if (!token) page.fail(new Error(t("This link is not complete. Open it as it is in the mail.")));
  return page;
}

/** Create the page at "/email-change#token": it confirms or stops the change of an address. */
export function emailChangePage(app) {
  const token = tokenOfAddress();
  const answer = async (action) => {
    try {
      const { state, email } = await app.api.post(path("email-changes", token), { action }, { anonymous: true });
      forgetToken();
      page.show(...outcome(state, email), h("a.button.full", { href: "/" }, t("Go to PicShare")));
    } catch (error) {
      page.fail(error);
    }
  };
  const stop = h("button.button.plain.full", { type: "button", onclick: () => answer("stop") }, t("Stop the change"));
  const sheet = form({ inputs: [], action: t("Confirm the change"), submit: () => answer("confirm"), extra: stop });
  const text = t("The e-mail address of an account is to be changed. The mail with this link says which. If that was not you, stop the change.");
  const page = linkPage(t("Change of an address"), h("p", {}, text), sheet);
  if (!token) page.fail(new Error(t("This link is not complete. Open it as it is in the mail.")));
  return page;
}

function outcome(state, email) {
  if (state === "stopped") return [t("The change is stopped"), h("p", {}, t("The account keeps its address."))];
  const address = h("bdi", {}, email ?? "");
  if (state === "changed") return [t("The address is changed"), h("p", {}, t("The address of the account is {email} now.", { email: address }))];
  return [t("One confirmation is missing"), h("p", {}, t("The address becomes {email} when the other address has confirmed it, too.", { email: address }))];
}

/** Return a page with one sheet, whose content can be replaced by `show` and `fail`. */
function linkPage(heading, ...content) {
  const sheet = h("div.sheet.form", {}, h("h1", {}, heading), content);
  const element = h(
    "div.account-link",
    {},
    h("a.wordmark", { href: "/" }, logo(), "PicShare"),
    sheet,
  );
  const show = (title, ...parts) => {
    fill(sheet, h("h1", { tabindex: "-1" }, title), parts);
    sheet.firstChild.focus();
  };
  const fail = (error, action = () => null) => show(t("That did not work"), h("p.form-error", { role: "alert" }, error.message), action());
  const load = (work, action) => work().catch((error) => fail(error, action));
  return { title: heading, element, show, fail, load };
}

function requestAnother() {
  return h("a.button.full", { href: "/forgot" }, icon("forward"), t("Request another link"));
}

function path(resource, token) {
  return `/${resource}/${encodeURIComponent(token || "-")}`;
}

function tokenOfAddress() {
  return location.hash.slice(1);
}

/** Remove a token that was used from the address, and so from the browser's history. */
function forgetToken() {
  history.replaceState(history.state, "", location.pathname);
}
