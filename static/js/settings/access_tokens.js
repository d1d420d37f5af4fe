/** The section of the settings with the access tokens of the user's own programs. */

import { confirmDialog, emptyState, fill, h, icon } from "../elements/dom.js";
import { choice, field, form } from "../elements/form.js";
import { isModerator } from "../users/roles.js";
import { showSecret } from "../elements/secret_dialog.js";
import { t } from "../elements/texts.js";
import { formattedDate, timeElement } from "../elements/time.js";

const EXPIRIES = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
  ["365", t("A year")],
  ["", t("Never")],
];
const MODERATION = "moderation";

/** Create the page at "/settings/tokens". */
export function accessTokensSection(app) {
  const content = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading your access tokens") }));
  const heading = h("h1", { tabindex: "-1" }, t("Access tokens"));
  let scopes = [];
  const load = async () => {
    try {
      const found = await app.api.get("/users/me/tokens");
      scopes = found.scopes;
      button.disabled = false;
      draw(found.items);
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: load }, t("Try again"));
      fill(content, emptyState("cloud", t("Could not load your access tokens"), error.message, again));
    }
  };
  const draw = (items) => {
    const rows = items.map((item) => h("li", {}, row(item, remove)));
    const none = () => emptyState("key", t("No access tokens"), t("With a token your own programs use PicShare for you."));
    fill(content, rows.length > 0 ? h("ul.user-list.panel", {}, rows) : none());
  };
  const remove = async ({ id, name }) => {
    const sure = await confirmDialog({ heading: t("Delete {name}?", { name }), text: t("Programs with this token lose their access at once."), action: t("Delete") });
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
  const button = h("button.button.plain.compact", { type: "button", disabled: true, onclick: create }, icon("plus"), t("New token"));
  load();
  const element = h(
    "div",
    {},
    h("div.page-head", {}, heading, button),
    h("p.secondary.page-text", {}, t("A token lets a program of your own use your account without your password. Keep it as secret as your password: any program that has it can do what it permits.")),
    content,
  );
  return { title: t("Access tokens"), element };
}

function row(token, remove) {
  const { name, scopes, created_at: created, expires_at: expires, last_used_at: used } = token;
  const expired = expires !== null && Date.parse(expires) <= Date.now();
  const date = expires && h("time", { datetime: expires, data: { date: "" } }, formattedDate(expires));
  const end = !expires ? t("does not expire") : expired ? t("expired {date}", { date }) : t("expires {date}", { date });
  const use = used ? t("last used {time}", { time: timeElement(used, { inSentence: true }) }) : t("not used yet");
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
        h("span.secondary.small", {}, t("Made {time}", { time: timeElement(created, { inSentence: true }) }), ", ", end, ", ", use),
      ),
      h("button.button.plain.compact", { type: "button", "aria-label": t("Delete {name}", { name }), onclick: () => remove(token) }, t("Delete")),
    ),
    h("p.access-scopes.small", {}, scopes.map((scope) => [h("code", {}, scope), " "])),
  );
}

function tokenDialog(app, scopes, done) {
  const name = field("name", t("Name"), { hint: t("What it is for, for example “Backup at home”."), attributes: { maxlength: 60, dir: "auto" } });
  const expiry = choice("expires_in_days", t("Expires after"), EXPIRIES, { value: "90", hint: t("Make another one before it expires.") });
  const chosen = scopeChoice(scopes.filter((scope) => scope.name !== MODERATION || isModerator(app.session.user)));
  const sheet = form({
    inputs: [name, expiry, chosen],
    action: t("Create"),
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Cancel")),
    submit: async () => {
      const days = expiry.input.value;
      const body = { name: name.input.value, scopes: chosen.chosen(), expires_in_days: days ? Number(days) : null };
      const { token } = await app.api.post("/users/me/tokens", body);
      dialog.close();
      await done();
      showSecret(app, { heading: t("Your new access token"), text: t("It is shown only now: keep it where no one else can read it."), value: token });
    },
  });
  const dialog = h("dialog.keep.webhook-dialog", { "aria-labelledby": "token-heading" }, h("h2", { id: "token-heading" }, t("New access token")), sheet);
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
    fill(error, message ?? "");
    error.hidden = !message;
  };
  const element = h(
    "fieldset.field.webhook-types.access-permissions",
    {},
    h("legend.label", {}, t("It may")),
    boxes.filter(({ fine }) => !fine).map(({ label }) => label),
    h("details.scope-choices", {}, h("summary", {}, t("Single permissions")), boxes.filter(({ fine }) => fine).map(({ label }) => label)),
    error,
  );
  const chosen = () => {
    const names = boxes.filter(({ input }) => input.checked).map(({ input }) => input.value);
    const message = t("Choose at least one permission.");
    if (names.length === 0) throw Object.assign(new Error(message), { fields: { scopes: message } });
    return names;
  };
  return { element, input: boxes[0].input, name: "scopes", setError, chosen };
}
