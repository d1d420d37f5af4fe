/** The page on which a user approves or denies what an application asks for (OAuth 2.1). */

import { emptyPage, fill, h, icon, logo } from "../elements/dom.js";
import { t } from "../elements/texts.js";

/** Create the page at "/oauth/authorize". */
export function authorizationPage(app) {
  const request = location.search.slice(1);
  const content = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading") }));
  // Users should see whose page this is before they approve anything.
  const wordmark = h("span.wordmark", {}, logo(), "PicShare");
  const element = h("div.provider-page.authorization", {}, wordmark, h("h1.visually-hidden", {}, t("Authorize an application")), content);
  const load = async () => {
    try {
      const asked = await app.api.get(`/oauth/authorization?${request}`);
      fill(content, asked.redirect_to ? refusal(asked) : consentSheet(app, asked, answer));
    } catch (error) {
      fill(content, failure(error));
    }
  };
  const answer = async (approve) => {
    const { redirect_to: address, code } = await app.api.post("/oauth/authorization", { request, approve });
    if (address) leave(address);
    else fill(content, code ? codeSheet(code) : emptyPage("check", t("Access denied"), t("The application gets no access. You can close this page.")));
  };
  load();
  return { title: t("Authorize an application"), element };
}

/** Leave for an address of the application. The server has checked it; a script must never be run, whatever it says. */
function leave(address) {
  if (/^(javascript|data|vbscript|blob):/i.test(address)) throw new Error(t("This address is not one of an application."));
  location.replace(address);
}

function consentSheet(app, { application, scopes, returns_to: returnsTo }, answer) {
  const { user } = app.session;
  const error = h("p.form-error", { role: "alert", hidden: true });
  const buttons = [
    h("button.button.full", { type: "button", onclick: () => send(true) }, t("Approve")),
    h("button.button.plain.full", { type: "button", onclick: () => send(false) }, t("Deny")),
  ];
  const send = async (approve) => {
    if (buttons[0].getAttribute("aria-disabled")) return;
    error.hidden = true;
    for (const button of buttons) button.setAttribute("aria-disabled", "true");
    try {
      await answer(approve);
    } catch (problem) {
      fill(error, problem.message);
      error.hidden = false;
      for (const button of buttons) button.removeAttribute("aria-disabled");
    }
  };
  const website = application.website_host
    ? h("p.secondary", {}, t("Its website: {website}", { website: h("a.link", { href: application.website, rel: "noopener noreferrer", target: "_blank" }, h("bdi", {}, application.website_host)) }))
    : h("p.secondary", {}, t("It has not named a website."));
  return h(
    "div.sheet.form.consent",
    {},
    h("h2", {}, t("{application} asks for access to your account", { application: h("bdi", {}, application.name) })),
    website,
    h("p", {}, t("Signed in as {name}.", { name: h("b", {}, h("bdi", {}, `@${user.username}`)) })),
    h("div", {}, h("p", {}, t("It may:")), scopeList(scopes)),
    error,
    buttons,
    h(
      "p.secondary.small",
      {},
      t("PicShare has not reviewed this application. It never learns your password, and you can end its access in the settings at any time."),
      " ",
      returnsTo ? t("Then you return to {address}.", { address: h("b", {}, h("bdi", {}, returnsTo)) }) : t("Then you get a code to copy."),
    ),
  );
}

/** Return scopes in words, as a list. */
export function scopeList(scopes) {
  return h("ul.scopes", {}, scopes.map(({ description, name }) => h("li", {}, icon("check"), h("span", {}, description || name))));
}

function codeSheet(code) {
  return h(
    "div.sheet.form.consent",
    {},
    h("h2", {}, t("Copy this code")),
    h("p.secondary", {}, t("Enter it in the application within ten minutes. Give it to no one else.")),
    h("code.webhook-secret", { tabindex: "0" }, code),
  );
}

/** Return what is shown of a request that is not valid: the application is informed of it if the user returns there. */
function refusal({ problem, redirect_to: address, returns_to: returnsTo }) {
  const back = h("button.button", { type: "button", onclick: () => leave(address) }, t("Return to {address}", { address: h("bdi", {}, returnsTo) }));
  return invalidRequest(problem, back);
}

function failure(error) {
  const home = h("a.button", { href: "/" }, t("Go to your feed"));
  if (error.code === "authorization_invalid") return invalidRequest(error.message, home);
  return emptyPage("cloud", t("Could not load this page"), error.message, home);
}

function invalidRequest(problem, action) {
  const text = [problem, " ", t("Go back to the application, and inform its developer if this happens again.")];
  return emptyPage("lock", t("This request is not valid"), text, action);
}
