/** The matrix of notifications: for each kind and channel, whose activities use it. A change is saved at once. */

import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";

const CHANNELS = [
  ["inbox", t("In the list")],
  ["live", t("On open pages")],
  ["push", t("Push")],
  ["email", t("Mail")],
];
const LABELS = {
  like: t("Likes of your photos"),
  comment: t("Comments on your photos"),
  follow: t("New followers"),
  follow_request: t("Requests to follow you"),
  follow_accepted: t("Accepted requests"),
  mention: t("Mentions of you"),
  reply: t("Replies to your comments"),
  comment_like: t("Likes of your comments"),
  post_by: t("New photos of users whose bell is on"),
  photo_rejected: t("Photos that could not be used"),
  webhook_failing: t("Webhooks that fail"),
  webhook_disabled: t("Webhooks that were turned off"),
  export_ready: t("Exports that are ready"),
  moderation: t("Decisions of moderators"),
  report_answered: t("Answers to your reports"),
  security: t("Security of your account"),
};
const AUDIENCES = { everyone: t("Everyone"), following: t("Following"), nobody: t("Nobody") };
const SWITCH = { everyone: t("On"), nobody: t("Off") };

export class PreferenceMatrix {
  #app;
  #items;
  #selects = new Map();
  #summaries = new Map();
  #saving = Promise.resolve();
  element;

  constructor(app, { items }) {
    this.#app = app;
    this.#items = items;
    const ofUsers = items.filter(({ push }) => push.choices.includes("following"));
    const others = items.filter(({ push }) => !push.choices.includes("following"));
    this.element = h(
      "section.preferences",
      { "aria-label": t("Channels") },
      h("h2", {}, t("What you are notified of")),
      h("p.secondary", {}, t("What is not in the list reaches you on no other way. A mail is sent if you have not read it for half an hour.")),
      this.#group(t("From other users"), ofUsers),
      this.#group(t("From PicShare"), others),
    );
  }

  #group(heading, items) {
    return h("section.preference-group", {}, h("h3", {}, heading), h("div.panel", {}, items.map((item) => this.#row(item))));
  }

  #row(item) {
    const label = LABELS[item.kind] ?? item.kind.replaceAll("_", " ");
    const summary = h("span.secondary.small");
    this.#summaries.set(item.kind, summary);
    const cells = CHANNELS.map(([channel, name]) => {
      const { audience, choices } = item[channel];
      const words = choices.includes("following") ? AUDIENCES : SWITCH;
      const options = choices.map((value) => h("option", { value, selected: value === audience }, words[value]));
      const select = h("select", { "aria-label": t("{kind}: {channel}", { kind: label, channel: name }) }, options);
      select.addEventListener("change", () => this.#change(item, channel, select.value));
      this.#selects.set(`${item.kind} ${channel}`, select);
      return h("div.preference-cell", {}, h("span", { "aria-hidden": "true" }, name), select);
    });
    this.#update(item);
    return h("details.preference", {}, h("summary", {}, h("b", {}, label), summary), h("div.preference-cells", {}, cells));
  }

  /** Sum up what is chosen, and let only those channels be chosen that a notification can reach. */
  #update(item) {
    for (const [channel] of CHANNELS) {
      const single = item[channel].choices.length === 1;
      const unreached = channel !== "inbox" && item.inbox.audience === "nobody";
      this.#selects.get(`${item.kind} ${channel}`).disabled = single || unreached;
    }
    const used = item.inbox.audience === "nobody" ? [] : CHANNELS.filter(([channel]) => item[channel].audience !== "nobody");
    const words = used.map(([channel, name]) => (item[channel].audience === "following" ? t("{channel} (following)", { channel: name }) : name));
    fill(this.#summaries.get(item.kind), words.length > 0 ? words.flatMap((word, place) => (place > 0 ? [" · ", word] : [word])) : t("Off"));
  }

  #change(item, channel, audience) {
    item[channel].audience = audience;
    this.#update(item);
    // One after the other, so that the last choice is the one that is kept.
    this.#saving = this.#saving.then(() => this.#save());
  }

  async #save() {
    const items = this.#items.map((item) => {
      const audiences = CHANNELS.map(([channel]) => [channel, item[channel].audience]);
      return { kind: item.kind, ...Object.fromEntries(audiences) };
    });
    try {
      await this.#app.api.put("/notifications/preferences", { items });
      this.#app.toasts.show(t("Saved"), { iconName: "check" });
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }
}
