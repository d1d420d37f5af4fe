/** The section of the settings with the applications that the user has made for others. */

import { confirmDialog, emptyState, fill, h, icon } from "../elements/dom.js";
import { checkbox, field, form } from "../elements/form.js";
import { showSecret } from "../elements/secret_dialog.js";
import { t, tc } from "../elements/texts.js";

const PATH = "/oauth/applications";

/** Create the page at "/settings/developer". */
export function developerSection(app) {
  const content = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading your applications") }));
  const heading = h("h1", { tabindex: "-1" }, t("Developer"));
  const load = async () => {
    try {
      draw((await app.api.get(PATH)).items);
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: load }, t("Try again"));
      fill(content, emptyState("cloud", t("Could not load your applications"), error.message, again));
    }
  };
  const draw = (items) => {
    const rows = items.map((item) => h("li", {}, row(item, actions)));
    const none = () => emptyState("gear", t("No applications"), t("Register one, and its users can let it use their accounts."));
    fill(content, rows.length > 0 ? h("ul.user-list.panel", {}, rows) : none());
  };
  const showNew = ({ client_secret: secret, name }) => {
    if (secret) showSecret(app, { heading: t("The secret of {name}", { name }), text: t("It is shown only now: keep it on the server of the application."), value: secret });
  };
  const create = () =>
    applicationDialog({
      heading: t("New application"),
      action: t("Register"),
      save: async (body) => {
        const created = await app.api.post(PATH, body);
        await load();
        return () => showNew(created);
      },
    });
  const attempt = async (work) => {
    try {
      await work();
    } catch (error) {
      app.toasts.error(error);
    }
  };
  const actions = {
    change: (application) =>
      applicationDialog({
        heading: t("Change the application"),
        action: t("Save"),
        application,
        save: async ({ confidential: _, ...body }) => {
          await app.api.put(`${PATH}/${application.client_id}`, body);
          await load();
          return null;
        },
      }),
    renew: (application) =>
      attempt(async () => {
        const text = t("The present one does not work any more, at once.");
        if (!(await confirmDialog({ heading: t("Make a new secret?"), text, action: t("New secret") }))) return;
        showNew(await app.api.post(`${PATH}/${application.client_id}/secret`));
      }),
    remove: (application) =>
      attempt(async () => {
        const text = t("All of its users are disconnected. This cannot be undone.");
        if (!(await confirmDialog({ heading: t("Delete {name}?", { name: application.name }), text, action: t("Delete") }))) return;
        await app.api.delete(`${PATH}/${application.client_id}`);
        await load();
        heading.focus();
      }),
  };
  load();
  const button = h("button.button.plain.compact", { type: "button", onclick: create }, icon("plus"), t("New application"));
  const element = h(
    "div",
    {},
    h("div.page-head", {}, heading, button),
    h("p.secondary.page-text", {}, t("Applications that other users connect with their accounts, by OAuth. For a program of your own, an access token is simpler.")),
    content,
  );
  return { title: t("Developer"), element };
}

function row(application, { change, renew, remove }) {
  const { client_id: id, confidential, name, redirect_uris: addresses, scopes } = application;
  const button = (label, work) => h("button.button.plain.compact", { type: "button", "aria-label": t("{action}: {name}", { action: label, name }), onclick: () => work(application) }, label);
  return h(
    "div.access-row.developed",
    {},
    h("p.name", {}, h("bdi", {}, name), " ", h("span.webhook-state", {}, confidential ? t("With a secret") : tc("without a secret", "Public"))),
    h(
      "dl.small",
      {},
      h("dt", {}, t("Client id")),
      h("dd", {}, h("code", {}, id)),
      h("dt", {}, t("Returns to")),
      h("dd", {}, addresses.map((address) => h("code", {}, address))),
      h("dt", {}, t("Scopes")),
      h("dd", {}, scopes.join(" ")),
    ),
    h("div.webhook-actions", {}, button(t("Change"), change), confidential && button(t("New secret"), renew), button(t("Delete"), remove)),
  );
}

/** Ask for the properties of an application; `save(body)` sends them, and may return what is done after the dialog. */
function applicationDialog({ heading, action, application = null, save }) {
  const name = field("name", t("Name"), { hint: t("Users see it when they are asked."), attributes: { maxlength: 60, value: application?.name ?? "", dir: "auto" } });
  const website = field("website", t("Website"), { kind: "url", attributes: { maxlength: 300, value: application?.website ?? "", autocapitalize: "none", spellcheck: "false" } });
  const addresses = field("redirect_uris", t("Redirect URIs"), {
    kind: "textarea",
    hint: t("One in each line: https, http on 127.0.0.1, or a scheme of the application."),
    attributes: { rows: 3, autocapitalize: "none", spellcheck: "false" },
  });
  addresses.input.value = (application?.redirect_uris ?? []).join("\n");
  const scopes = field("scopes", t("Scopes"), {
    hint: t("The most that it may ask for, with spaces between them."),
    attributes: { value: (application?.scopes ?? ["read"]).join(" "), autocapitalize: "none", spellcheck: "false" },
  });
  const confidential = checkbox("confidential", t("It can keep a secret"), t("It runs on a server of your own, not on the devices of its users."), true);
  const refreshes = checkbox("refreshes", t("Its tokens expire"), t("After an hour, and it refreshes them. Otherwise they last until they are revoked."), application?.refreshes ?? false);
  const words = (text, separator) => text.split(separator).map((word) => word.trim()).filter(Boolean);
  const sheet = form({
    inputs: [name, website, addresses, scopes, ...(application ? [] : [confidential]), refreshes],
    action,
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Cancel")),
    submit: async () => {
      const body = {
        name: name.input.value,
        website: website.input.value.trim(),
        redirect_uris: words(addresses.input.value, "\n"),
        scopes: words(scopes.input.value, /\s/),
        confidential: confidential.input.checked,
        refreshes: refreshes.input.checked,
      };
      let then = null;
      try {
        then = await save(body);
      } catch (error) {
        // The API names the item of a list.
        for (const [key, message] of Object.entries(error.fields ?? {})) error.fields[key.split(".")[0]] ??= message;
        throw error;
      }
      dialog.close();
      then?.();
    },
  });
  const dialog = h("dialog.keep.webhook-dialog", { "aria-labelledby": "application-heading" }, h("h2", { id: "application-heading" }, heading), sheet);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
