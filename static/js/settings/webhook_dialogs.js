/** The dialogs of webhooks: their address and events, and a new secret, which is shown once. */

import { fill, h } from "../elements/dom.js";
import { checkbox, choice, field, form } from "../elements/form.js";
import { showSecret } from "../elements/secret_dialog.js";
import { t } from "../elements/texts.js";

/** What the events are called here, by their types. */
export const EVENT_NAMES = {
  "photo.ready": t("A photo of yours is ready"),
  "photo.rejected": t("A photo of yours could not be processed"),
  "photo.deleted": t("You deleted a photo"),
  "like.added": t("A photo of yours was liked"),
  "comment.added": t("A photo of yours was commented on"),
  "user.followed": t("You have a new follower"),
};

/**
 * Ask for the properties of a webhook; `webhook` is the present one, null for a new one. `save(body)` sends them.
 *
 * A signature is chosen for a new one alone: later it changes with the secret.
 */
export function webhookDialog({ heading, action, webhook = null, save }) {
  const url = field("url", t("Address"), {
    kind: "url",
    hint: webhook ? t("Another address is verified by a ping before messages are sent there.") : t("An https address of yours that the internet can reach."),
    attributes: { maxlength: 2048, value: webhook?.url ?? "https://", autocapitalize: "none", spellcheck: "false", inputmode: "url" },
  });
  const description = field("description", t("Description"), { attributes: { maxlength: 200, value: webhook?.description ?? "", dir: "auto" } });
  const types = eventTypes(webhook?.types ?? []);
  const ordered = checkbox("ordered", t("Keep the order"), t("Messages about a photo wait until the ones before them have arrived."), webhook?.ordered ?? false);
  const signing = choice(
    "signing",
    t("Signature"),
    [
      ["hmac", t("Shared secret (HMAC)")],
      ["ed25519", t("Public key (ed25519)")],
    ],
    { value: "hmac", hint: t("How your program knows that a message is from PicShare.") },
  );
  const sheet = form({
    inputs: [url, description, types, ordered, ...(webhook ? [] : [signing])],
    action,
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Cancel")),
    submit: async () => {
      const body = { url: url.input.value.trim(), description: description.input.value, types: types.chosen(), ordered: ordered.input.checked };
      await save(webhook ? body : { ...body, signing: signing.input.value });
      dialog.close();
    },
  });
  const dialog = open("webhook-heading", heading, sheet);
}

/** Show the secret of a webhook, or its public key if messages are signed by ed25519. */
export function secretDialog(app, webhook) {
  const text = webhook.secret
    ? t("Your program verifies messages with it. It is shown only now: keep it where no one else can read it.")
    : t("Your program verifies messages with it. It is no secret, and you find it on the page of the webhook.");
  showSecret(app, { heading: webhook.secret ? t("The secret") : t("The public key"), text, value: webhook.secret ?? webhook.public_key });
}

function eventTypes(chosen) {
  const inputs = Object.entries(EVENT_NAMES).map(([type, name]) => {
    const input = h("input", { type: "checkbox", value: type, checked: chosen.length === 0 || chosen.includes(type) });
    return [input, h("label.check", {}, input, h("span", {}, name))];
  });
  const error = h("p.error", { hidden: true });
  const element = h("fieldset.field.webhook-types", {}, h("legend.label", {}, t("Events")), inputs.map(([, label]) => label), error);
  const setError = (message) => {
    fill(error, message ?? "");
    error.hidden = !message;
  };
  const chosenNow = () => {
    const types = inputs.filter(([input]) => input.checked).map(([input]) => input.value);
    if (types.length === 0) {
      throw Object.assign(new Error(t("Choose at least one event.")), { fields: { types: t("Choose at least one event.") } });
    }
    // All of them, and those of later versions.
    return types.length === inputs.length ? [] : types;
  };
  return { element, input: inputs[0][0], name: "types", setError, chosen: chosenNow };
}

function open(id, heading, ...content) {
  const dialog = h("dialog.keep.webhook-dialog", { "aria-labelledby": id }, fill(h("h2", { id }), heading), content);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
