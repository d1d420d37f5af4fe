/** The section of the settings about notifications: the matrix of kinds and channels, quiet hours, digest, mutes. */

import { fill, h } from "../elements/dom.js";
import { choice, form } from "../elements/form.js";
import { MutedSubjects } from "../photo/muted_subjects.js";
import { PreferenceMatrix } from "./preference_matrix.js";
import { pushSwitch } from "./push_switch.js";
import { quietHoursForm } from "./quiet_hours.js";
import { t } from "../elements/texts.js";

const FREQUENCIES = [
  ["off", t("Never")],
  ["daily", t("Every day")],
  ["weekly", t("Every Monday")],
];

/** Create the page at "/settings/notifications". */
export function notificationSection(app) {
  const parts = h("div.settings-parts", {}, h("div.spinner", { role: "status", "aria-label": t("Loading your choices") }));
  const device = pushSwitch(app);
  const element = h("div", {}, h("div.page-head", {}, h("h1", {}, t("Notifications"))), parts);
  load(app, parts, h("section", { "aria-label": t("On this device") }, h("h2", {}, t("On this device")), device.element));
  return { title: t("Notifications"), element, leave: () => device.leave() };
}

async function load(app, parts, device) {
  try {
    const [preferences, quiet, digest] = await Promise.all(
      ["preferences", "quiet-hours", "digest"].map((name) => app.api.get(`/notifications/${name}`)),
    );
    fill(
      parts,
      device,
      new PreferenceMatrix(app, preferences).element,
      quietHoursForm(app, quiet),
      digestForm(app, digest, quiet),
      new MutedSubjects(app).element,
    );
  } catch (error) {
    const again = h("button.button.plain", { type: "button", onclick: () => load(app, parts, device) }, t("Try again"));
    fill(parts, h("p.form-error", { role: "alert" }, error.message), again);
  }
}

function digestForm(app, { frequency }) {
  const chosen = choice("frequency", t("Mail about what is new"), FREQUENCIES, {
    value: frequency,
    hint: t("At eight o'clock, and only if there is something you have not seen and you have not been here since the last one."),
  });
  const sheet = form({
    inputs: [chosen],
    action: t("Save digest"),
    submit: async () => {
      const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
      const saved = await app.api.put("/notifications/digest", { frequency: chosen.input.value, zone });
      app.toasts.show(saved.frequency === "off" ? t("You get no digest") : t("Saved"), { iconName: "check" });
    },
  });
  return h("section", { "aria-label": t("Digest") }, h("h2", {}, t("Digest")), sheet);
}
