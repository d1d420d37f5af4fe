/** Who can see a photo: the choice in forms, and the mark on photos that not everyone can see. */

import { h, icon } from "../elements/dom.js";
import { choice } from "../elements/form.js";
import { t } from "../elements/texts.js";

import { deviceValues } from "../elements/kept_values.js";

const KEY = "picshare.audience.";
const LABELS = { public: t("Everyone"), followers: t("Followers"), close_friends: t("Close friends"), only_me: t("Only me") };
const ICONS = { followers: "people", close_friends: "star", only_me: "lock" };

/** Return the field with the choice. */
export function audienceField(value = "public") {
  const hint = t("You can change it later. Of a private account, only followers can see photos.");
  return choice("audience", t("Who can see it"), Object.entries(LABELS), { value, hint });
}

/** Return the choice of a user's last photo in this browser. */
export function rememberedAudience(session) {
  const value = deviceValues.get(KEY + session.id);
  return value in LABELS ? value : "public";
}

export function rememberAudience(session, value) {
  deviceValues.set(KEY + session.id, value);
}

export function forgetAudience(user) {
  deviceValues.remove(KEY + user);
}

/** Return the name of an audience, "" for everyone. */
export function audienceName({ audience }) {
  return audience in ICONS ? LABELS[audience] : "";
}

/** Return the mark of a photo, or null if everyone can see it; `short` is without the name. */
export function audienceMark(photo, { short = false } = {}) {
  const name = audienceName(photo);
  return name ? h("span.audience", { title: t("For: {audience}", { audience: name }) }, icon(ICONS[photo.audience]), h(short ? "span.visually-hidden" : "span", {}, name)) : null;
}
