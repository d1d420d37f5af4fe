/** The section of the settings with the applications that the user has made for others. */

import { confirmDialog, emptyState, fill, h, icon } from "../elements/dom.js";
import { checkbox, field, form } from "../elements/form.js";
import { showSecret } from "../elements/secret_dialog.js";

const PATH = "/oauth/applications";

/** Create the page at "/settings/developer". */
export function developerSection(app) {
  const content = h("div", {}, h("div.spinner", { role: "status", "aria-label": "Loading your applications" }));
  const heading = h("h1", { tabindex: "-1" }, "Developer");
  const load = async () => {
    try {
      draw((await app.api.get(PATH)).items);
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: load }, "Try again");
      fill(content, emptyState("cloud", "Could not load your applications", error.message, again));
    }
  };
  const draw = (items) => {
    const rows = items.map((item) => h("li", {}, row(item, actions)));
    const none = () => emptyState("gear", "No applications", "Register one, and its users can let it use their accounts.");
    fill(content, rows.length > 0 ? h("ul.user-list.panel", {}, rows) : none());
  };
  const showNew = ({ client_secret: secret, name }) => {
    if (secret) showSecret(app, { heading: `The secret of ${name}`, text: "It is shown only now: keep it on the server of the application.", value: secret });
  };
  const create = () =>
    applicationDialog({
      heading: "New application",
      action: "Register",
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
        heading: "Change the application",
        action: "Save",
        application,
        save: async ({ confidential: _, ...body }) => {
          await app.api.put(`${PATH}/${application.client_id}`, body);
          await load();
          return null;
        },
      }),
    renew: (application) =>
      attempt(async () => {
        const text = "The present one does not work any more, at once.";
        if (!(await confirmDialog({ heading: "Make a new secret?", text, action: "New secret" }))) return;
        showNew(await app.api.post(`${PATH}/${application.client_id}/secret`));
      }),
    remove: (application) =>
      attempt(async () => {
        const text = "All of its users are disconnected. This cannot be undone.";
        if (!(await confirmDialog({ heading: `Delete ${application.name}?`, text, action: "Delete" }))) return;
        await app.api.delete(`${PATH}/${application.client_id}`);
        await load();
        heading.focus();
      }),
  };
  load();
  const button = h("button.button.plain.compact", { type: "button", onclick: create }, icon("plus"), "New application");
  const element = h(
    "div",
    {},
    h("div.page-head", {}, heading, button),
    h("p.secondary.page-text", {}, "Applications that other users connect with their accounts, by OAuth. For a program of your own, an access token is simpler."),
    content,
  );
  return { title: "Developer", element };
}

function row(application, { change, renew, remove }) {
  const { client_id: id, confidential, name, redirect_uris: addresses, scopes } = application;
  const button = (label, work) => h("button.button.plain.compact", { type: "button", "aria-label": `${label}: ${name}`, onclick: () => work(application) }, label);
  return h(
    "div.access-row.developed",
    {},
    h("p.name", {}, h("bdi", {}, name), " ", h("span.webhook-state", {}, confidential ? "With a secret" : "Public")),
    h(
      "dl.small",
      {},
      h("dt", {}, "Client id"),
      h("dd", {}, h("code", {}, id)),
      h("dt", {}, "Returns to"),
      h("dd", {}, addresses.map((address) => h("code", {}, address))),
      h("dt", {}, "Scopes"),
      h("dd", {}, scopes.join(" ")),
    ),
    h("div.webhook-actions", {}, button("Change", change), confidential && button("New secret", renew), button("Delete", remove)),
  );
}

/** Ask for the properties of an application; `save(body)` sends them, and may return what is done after the dialog. */
function applicationDialog({ heading, action, application = null, save }) {
  const name = field("name", "Name", { hint: "Users see it when they are asked.", attributes: { maxlength: 60, value: application?.name ?? "", dir: "auto" } });
  const website = field("website", "Website", { kind: "url", attributes: { maxlength: 300, value: application?.website ?? "", autocapitalize: "none", spellcheck: "false" } });
  const addresses = field("redirect_uris", "Redirect URIs", {
    kind: "textarea",
    hint: "One in each line: https, http on 127.0.0.1, or a scheme of the application.",
    attributes: { rows: 3, autocapitalize: "none", spellcheck: "false" },
  });
  addresses.input.value = (application?.redirect_uris ?? []).join("\n");
  const scopes = field("scopes", "Scopes", {
    hint: "The most that it may ask for, with spaces between them.",
    attributes: { value: (application?.scopes ?? ["read"]).join(" "), autocapitalize: "none", spellcheck: "false" },
  });
  const confidential = checkbox("confidential", "It can keep a secret", "It runs on a server of your own, not on the devices of its users.", true);
  const refreshes = checkbox("refreshes", "Its tokens expire", "After an hour, and it refreshes them. Otherwise they last until they are revoked.", application?.refreshes ?? false);
  const words = (text, separator) => text.split(separator).map((word) => word.trim()).filter(Boolean);
  const sheet = form({
    inputs: [name, website, addresses, scopes, ...(application ? [] : [confidential]), refreshes],
    action,
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, "Cancel"),
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
