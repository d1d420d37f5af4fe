/** The filters of the list of notifications: groups of kinds, each with the number of unseen notifications. */

import { fill, h, visuallyHidden } from "../elements/dom.js";

/** [name in the address, label, kinds, empty state]; null is all kinds. */
const FILTERS = [
  ["all", "All", null, ["bell", "No notifications yet", "Likes, comments and new followers appear here at once."]],
  ["likes", "Likes", ["like", "comment_like"], ["heart", "No likes yet", "Likes of your photos and comments appear here."]],
  ["comments", "Comments", ["comment", "reply", "mention"], ["comment", "No comments yet", "Comments on your photos, replies to you and mentions of you appear here."]],
  ["follows", "Followers", ["follow", "follow_request", "follow_accepted"], ["people", "No new followers", "New followers and requests to follow you appear here."]],
  ["photos", "Photos", ["post_by"], ["camera", "No photos yet", "Turn on the bell on a profile, and each new photo of that account appears here."]],
  [
    "account",
    "Account",
    ["photo_rejected", "webhook_failing", "webhook_disabled", "export_ready", "moderation", "report_answered", "security"],
    ["lock", "Nothing about your account", "Sign-ins from new devices and decisions about your photos appear here."],
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
    this.element = h("ul.chips.notification-filters", { "aria-label": "Kinds of notifications" }, [...this.#buttons.values()].map((button) => h("li", {}, button)));
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
      fill(button, label, unseen > 0 && h("span.chip-count", {}, unseen > 99 ? "99+" : String(unseen), visuallyHidden(" new")));
    }
  }

  #mark() {
    for (const [filter, button] of this.#buttons) button.setAttribute("aria-pressed", String(filter === this.#chosen));
  }
}
