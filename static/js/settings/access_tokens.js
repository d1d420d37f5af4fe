/** The section of the settings with the access tokens of the user's own programs. */

import { confirmDialog, emptyState, fill, h, icon } from "../elements/dom.js";
import { choice, field, form } from "../elements/form.js";
import { isModerator } from "../moderation/moderation.js";
import { showSecret } from "../elements/secret_dialog.js";
import { timeElement } from "../elements/time.js";

const EXPIRIES = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
  ["365", "A year"],
  ["", "Never"],
];
const MODERATION = "moderation";

/** Create the page at "/settings/tokens". */
export function accessTokensSection(app) {
  const content = h("div", {}, h("div.spinner", { role: "status", "aria-label": "Loading your access tokens" }));
  const heading = h("h1", { tabindex: "-1" }, "Access tokens");
  let scopes = [];
  const load = async () => {
    try {
      const found = await app.api.get("/users/me/tokens");
      scopes = found.scopes;
      button.disabled = false;
      draw(found.items);
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: load }, "Try again");
      fill(content, emptyState("cloud", "Could not load your access tokens", error.message, again));
    }
  };
  const draw = (items) => {
    const rows = items.map((item) => h("li", {}, row(item, remove)));
    const none = () => emptyState("key", "No access tokens", "With a token your own programs use PicShare for you.");
    fill(content, rows.length > 0 ? h("ul.user-list.panel", {}, rows) : none());
  };
  const remove = async ({ id, name }) => {
    const sure = await confirmDialog({ heading: `Delete ${name}?`, text: "Programs with this token lose their access at once.", action: "Delete" });
    if (!sure) return;
    try {
      await app.api.delete(`/users/me/tokens/${id}`);
    } catch (error) {
      // It was deleted elsewhere.
      if (error.status !== 404) {
        app.toasts.error(error);
        return;
      }
    }
    await load();
    heading.focus();
  };
  const create = () => tokenDialog(app, scopes, load);
  const button = h("button.button.plain.compact", { type: "button", disabled: true, onclick: create }, icon("plus"), "New token");
  load();
  const element = h(
    "div",
    {},
    h("div.page-head", {}, heading, button),
    h("p.secondary.page-text", {}, "A token lets a program of your own use your account without your password. Keep it as secret as your password: any program that has it can do what it permits."),
    content,
  );
  return { title: "Access tokens", element };
}

function row(token, remove) {
  const { name, scopes, created_at: created, expires_at: expires, last_used_at: used } = token;
  const expired = expires !== null && Date.parse(expires) <= Date.now();
  const end = expires ? [expired ? ", expired " : ", expires ", h("time", { datetime: expires }, new Date(expires).toLocaleDateString())] : ", does not expire";
  return h(
    "div.access-row",
    {},
    h(
      "div.user-row",
      {},
      h(
        "span.user-names",
        {},
        h("span.name", {}, h("bdi", {}, name)),
        h("span.secondary.small", {}, "Made ", timeElement(created, { inSentence: true }), end, used ? [", last used ", timeElement(used, { inSentence: true })] : ", not used yet"),
      ),
      h("button.button.plain.compact", { type: "button", "aria-label": `Delete ${name}`, onclick: () => remove(token) }, "Delete"),
    ),
    h("p.access-scopes.small", {}, scopes.map((scope) => [h("code", {}, scope), " "])),
  );
}

function tokenDialog(app, scopes, done) {
  const name = field("name", "Name", { hint: "What it is for, for example “Backup at home”.", attributes: { maxlength: 60, dir: "auto" } });
  const expiry = choice("expires_in_days", "Expires after", EXPIRIES, { value: "90", hint: "Make another one before it expires." });
  const chosen = scopeChoice(scopes.filter((scope) => scope.name !== MODERATION || isModerator(app.session.user)));
  const sheet = form({
    inputs: [name, expiry, chosen],
    action: "Create",
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, "Cancel"),
    submit: async () => {
      const days = expiry.input.value;
      const body = { name: name.input.value, scopes: chosen.chosen(), expires_in_days: days ? Number(days) : null };
      const { token } = await app.api.post("/users/me/tokens", body);
      dialog.close();
      await done();
      showSecret(app, { heading: "Your new access token", text: "It is shown only now: keep it where no one else can read it.", value: token });
    },
  });
  const dialog = h("dialog.keep.webhook-dialog", { "aria-labelledby": "token-heading" }, h("h2", { id: "token-heading" }, "New access token"), sheet);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Return the field with the scopes: wide ones, and the fine ones behind a disclosure. */
function scopeChoice(scopes) {
  const boxes = scopes.map(({ description, name }) => {
    const input = h("input", { type: "checkbox", value: name, checked: name === "read", onchange: () => setError(null) });
    return { fine: name.includes(":"), input, label: h("label.check", {}, input, h("span", {}, h("b", {}, name), h("span.secondary.small", {}, description))) };
  });
  const error = h("p.error", { hidden: true });
  const setError = (message) => {
    error.textContent = message ?? "";
    error.hidden = !message;
  };
  const element = h(
    "fieldset.field.webhook-types.access-permissions",
    {},
    h("legend.label", {}, "It may"),
    boxes.filter(({ fine }) => !fine).map(({ label }) => label),
    h("details.scope-choices", {}, h("summary", {}, "Single permissions"), boxes.filter(({ fine }) => fine).map(({ label }) => label)),
    error,
  );
  const chosen = () => {
    const names = boxes.filter(({ input }) => input.checked).map(({ input }) => input.value);
    const message = "Choose at least one permission.";
    if (names.length === 0) throw Object.assign(new Error(message), { fields: { scopes: message } });
    return names;
  };
  return { element, input: boxes[0].input, name: "scopes", setError, chosen };
}
