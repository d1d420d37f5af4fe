/** The filters of the list of notifications: groups of kinds, each with the number of unseen notifications. */

import { fill, h, unseenNumber } from "../elements/dom.js";
import { t } from "../elements/texts.js";

/** [name in the address, label, kinds, empty state]; null is all kinds. */
const FILTERS = [
  ["all", t("All"), null, ["bell", t("No notifications yet"), t("Likes, comments and new followers appear here at once.")]],
  ["likes", t("Likes"), ["like", "comment_like"], ["heart", t("No likes yet"), t("Likes of your photos and comments appear here.")]],
  ["comments", t("Comments"), ["comment", "reply", "mention"], ["comment", t("No comments yet"), t("Comments on your photos, replies to you and mentions of you appear here.")]],
  ["follows", t("Followers"), ["follow", "follow_request", "follow_accepted"], ["people", t("No new followers"), t("New followers and requests to follow you appear here.")]],
  ["photos", t("Photos"), ["post_by"], ["camera", t("No photos yet"), t("Turn on the bell on a profile, and each new photo of that account appears here.")]],
  [
    "account",
    t("Account"),
    ["photo_rejected", "webhook_failing", "webhook_disabled", "export_ready", "moderation", "report_answered", "security"],
    ["lock", t("Nothing about your account"), t("Sign-ins from new devices and decisions about your photos appear here.")],
  ],
];

export class NotificationFilters {
  #buttons = new Map();
  #chosen;

  /** `chosen()` is called when the user has chosen another filter. */
  constructor(chosen) {
    const name = new URLSearchParams(location.search).get("filter");
    this.#chosen = FILTERS.find(([known]) => known === name) ?? FILTERS[0];
    const select = (filter) => {
      if (filter === this.#chosen) return;
      this.#chosen = filter;
      history.replaceState(history.state, "", location.pathname + (filter[0] === "all" ? "" : `?filter=${filter[0]}`));
      this.#mark();
      chosen();
    };
    for (const filter of FILTERS) this.#buttons.set(filter, h("button.chip", { type: "button", onclick: () => select(filter) }));
    this.element = h("ul.chips.notification-filters", { "aria-label": t("Kinds of notifications") }, [...this.#buttons.values()].map((button) => h("li", {}, button)));
    this.#mark();
    this.count({});
  }

  /** The kinds of the chosen filter, null for all. */
  get kinds() {
    return this.#chosen[2];
  }

  /** The icon, heading and text for an empty list. */
  get empty() {
    return this.#chosen[3];
  }

  /** Return whether a notification belongs to the chosen filter. */
  includes({ kind }) {
    return this.kinds === null || this.kinds.includes(kind);
  }

  /** Show the numbers of unseen notifications, from the counters of each kind. */
  count(counters) {
    for (const [[, label, kinds], button] of this.#buttons) {
      const unseen = kinds === null ? 0 : kinds.reduce((sum, kind) => sum + (counters[kind]?.unseen ?? 0), 0);
      fill(button, label, unseen > 0 && h("span.chip-count", {}, unseenNumber(unseen)));
    }
  }

  #mark() {
    for (const [filter, button] of this.#buttons) button.setAttribute("aria-pressed", String(filter === this.#chosen));
  }
}
