/** The page of one webhook: its state, what can be done with it, and its attempts as they happen. */

import { confirmDialog, emptyPage, emptyState, fill, h } from "../elements/dom.js";
import { listed, t, tn } from "../elements/texts.js";
import { unavailable } from "../elements/unavailable.js";
import { menu } from "../elements/menu.js";
import { timeElement } from "../elements/time.js";
import { EVENT_NAMES, secretDialog, webhookDialog } from "./webhook_dialogs.js";
import { stateMark } from "./webhooks.js";

const PAGE_SIZE = 20;
const EXPLANATIONS = {
  unverified: t("Only a ping was sent. Your program has to return its challenge; then messages follow."),
  active: t("Messages are sent as events happen."),
  paused: t("Messages are kept, and sent when you let it go on."),
  disabled: t("Nothing is sent any more. Send a ping when your program works again."),
};
const OUTCOMES = { delivered: t("Delivered"), failed: t("Failed"), gone: t("Gone") };

/** Create the page at "/settings/webhooks/:id". */
export function webhookPage(app, { id }) {
  const page = new WebhookPage(app, id);
  return { title: t("Webhook"), element: page.element, leave: () => page.leave() };
}

class WebhookPage {
  #app;
  #id;
  #path;
  #webhook = null;
  #heading = h("h1");
  #head = h("div.page-head", {}, h("h1.visually-hidden", {}, t("Loading the webhook")));
  #facts = h("div");
  // What a user is about to choose stays where it is while attempts arrive, as long as the choices are the same.
  #actions = h("div.webhook-actions");
  #actionsOf = null;
  #attempts = h("ol.webhook-attempts.panel");
  #tail = h("div");
  #ids = new Set();
  #cursor = null;
  #stop = null;
  element;

  constructor(app, id) {
    this.#app = app;
    this.#id = id;
    this.#path = `/webhooks/${id}`;
    this.element = h("div.webhook-page", {}, this.#head, h("div.webhook-facts", {}, this.#facts, this.#actions), h("h2.webhook-heading", {}, t("Attempts")), this.#attempts, this.#tail);
    this.#load();
  }

  leave() {
    this.#stop?.();
    this.#stop = null;
  }

  async #load() {
    this.#actions.hidden = true;
    fill(this.#tail, h("div.spinner", { role: "status", "aria-label": t("Loading the webhook") }));
    try {
      this.#show(await this.#app.api.get(this.#path));
    } catch (error) {
      const missing = error.status === 404 || error.status === 400;
      fill(this.element, missing ? emptyPage("link", t("Webhook not found"), t("It was deleted, or belongs to someone else.")) : unavailable(this.#app, { heading: t("Could not load the webhook"), error, again: () => this.#app.router.reset(), page: true }));
      return;
    }
    this.#stop = this.#app.live.subscribe(`webhook:${this.#id}`, {
      publication: (data) => this.#received(data),
      // The channel keeps no history: what was missed without a connection is read again.
      resumed: () => this.#reload(),
    });
    await this.#loadAttempts();
  }

  async #reload() {
    try {
      this.#show(await this.#app.api.get(this.#path));
    } catch {
      return;
    }
    this.#ids.clear();
    fill(this.#attempts);
    this.#cursor = null;
    await this.#loadAttempts();
  }

  async #loadAttempts() {
    try {
      const { items, next } = await this.#app.api.get(`${this.#path}/attempts`, { cursor: this.#cursor, limit: PAGE_SIZE });
      this.#cursor = next;
      for (const attempt of items) this.#put(attempt, false);
      this.#updateTail();
    } catch (error) {
      fill(this.#tail, unavailable(this.#app, { heading: t("Could not load the attempts"), error, again: () => this.#loadAttempts() }));
    }
  }

  #received({ attempt, state }) {
    this.#put(attempt, true);
    this.#updateTail();
    // Its failures in a row, and until when it pauses, are not in the publication.
    if (state !== this.#webhook.state || attempt.outcome !== "delivered" || this.#webhook.failures > 0) {
      this.#app.api.get(this.#path).then((webhook) => this.#show(webhook), () => {});
    }
  }

  #put(attempt, first) {
    if (this.#ids.has(attempt.id)) return;
    this.#ids.add(attempt.id);
    this.#attempts[first ? "prepend" : "append"](this.#row(attempt));
  }

  #updateTail() {
    this.#attempts.hidden = this.#ids.size === 0;
    const more = h("button.button.plain", { type: "button", onclick: () => this.#loadAttempts() }, t("Show older"));
    if (this.#ids.size === 0) fill(this.#tail, emptyState("link", t("Nothing was sent yet"), t("Messages and pings appear here at once.")));
    else fill(this.#tail, this.#cursor && h("div.empty-state", {}, more));
  }

  #show(webhook) {
    this.#webhook = webhook;
    const { url, description, state, reason, types, signing, public_key: key, failures, failing_since: since } = webhook;
    fill(this.#heading, h("bdi", {}, description || new URL(url).host));
    if (this.#heading.parentElement === null) fill(this.#head, this.#heading, this.#menu());
    this.#offer(state);
    fill(
      this.#facts,
      h("p", {}, stateMark(state), h("span.secondary", {}, reason && state === "disabled" ? reason : EXPLANATIONS[state])),
      failures > 0 && h("p.webhook-warning", {}, failed(failures, since)),
      h(
        "dl",
        {},
        fact(t("Address"), url),
        fact(t("Events"), types.length > 0 ? listed(types.map((type) => EVENT_NAMES[type] ?? type), "unit") : t("All")),
        fact(t("Signature"), signing === "hmac" ? t("By a secret (HMAC)") : h("code.webhook-secret", {}, key)),
      ),
    );
  }

  /** Show what can be done with the webhook in a state. */
  #offer(state) {
    if (state === this.#actionsOf) return;
    this.#actionsOf = state;
    const paused = state === "paused";
    const verified = state === "active" || paused;
    const ping = h("button.button.plain.compact", { type: "button", onclick: () => this.#do("ping", t("A ping is on its way")) }, t("Send a ping"));
    const toggle = verified && h("button.button.plain.compact", { type: "button", onclick: () => this.#setState(paused ? "active" : "paused") }, paused ? t("Go on") : t("Pause"));
    const replay = verified && h("button.button.plain.compact", { type: "button", onclick: () => this.#replayFailed() }, t("Repeat failed messages"));
    fill(this.#actions, ping, toggle, replay);
    this.#actions.hidden = false;
  }

  #menu() {
    return menu(t("Options of this webhook"), [
      ["pencil", t("Edit webhook"), () => this.#edit()],
      ["link", t("Replace the secret"), () => this.#replaceSecret()],
      ["trash", t("Delete webhook"), () => this.#delete(), "danger"],
    ]);
  }

  #row(attempt) {
    const { type, outcome, status, error, duration_ms: duration, number, created_at: at } = attempt;
    const summary = h(
      "summary",
      {},
      h("span.webhook-outcome", { data: { outcome } }, OUTCOMES[outcome] ?? outcome),
      h("span.name", {}, type),
      h("span.secondary.small", {}, [status && t("status {status}", { status: String(status) }), t("{count} ms", { count: duration }), number > 1 && t("attempt {number}", { number })].filter(Boolean).flatMap((part, place) => (place > 0 ? [" · ", part] : [part]))),
      h("span.secondary.small.webhook-time", {}, timeElement(at)),
    );
    const again = h("button.button.plain.compact", { type: "button", onclick: () => this.#do(`attempts/${attempt.id}/replay`, t("The message is sent again")) }, t("Send again"));
    const headers = Object.entries(attempt.request_headers).map(([name, value]) => `${name}: ${value}`);
    return h(
      "li",
      {},
      h(
        "details",
        {},
        summary,
        h(
          "div.webhook-details",
          {},
          error && h("p.error", {}, error),
          block(t("Request"), headers.join("\n")),
          attempt.response && block(t("Response"), attempt.response),
          type !== "endpoint.ping" && h("div", {}, again),
        ),
      ),
    );
  }

  async #do(action, done, body) {
    try {
      const response = await this.#app.api.post(`${this.#path}/${action}`, body);
      this.#app.toasts.show(typeof done === "function" ? done(response) : done, { iconName: "check" });
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  #replayFailed() {
    return this.#do("replay", ({ replayed }) => (tn("{count} message is sent again", "{count} messages are sent again", replayed)), { only: "failed" });
  }

  async #setState(state) {
    try {
      this.#show(await this.#app.api.patch(this.#path, { state }));
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  #edit() {
    webhookDialog({ heading: t("Edit webhook"), action: t("Save"), webhook: this.#webhook, save: async (body) => this.#show(await this.#app.api.patch(this.#path, body)) });
  }

  async #replaceSecret() {
    const text = t("For 24 hours messages are signed with both, so that your program can change in between.");
    if (!(await confirmDialog({ heading: t("Replace the secret?"), text, action: t("Replace") }))) return;
    try {
      const changed = await this.#app.api.post(`${this.#path}/secret`, {});
      this.#show(changed);
      secretDialog(this.#app, changed);
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  async #delete() {
    if (!(await confirmDialog({ heading: t("Delete this webhook?"), text: t("Nothing more is sent to its address. Its attempts are deleted, too."), action: t("Delete") }))) return;
    try {
      await this.#app.api.delete(this.#path);
      this.#app.router.go("/settings/webhooks");
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }
}

function failed(count, since) {
  const values = { time: timeElement(since, { inSentence: true }) };
  return tn("{count} attempt has failed, {time}.", "{count} attempts in a row have failed, the first one {time}.", count, values);
}

function fact(name, value) {
  return [h("dt.secondary.small", {}, name), h("dd", {}, value)];
}

function block(name, text) {
  return h("div", {}, h("p.secondary.small", {}, name), h("pre", { tabindex: "0" }, text));
}
