/** The form of the quiet hours, in which nothing but notices about security and moderation reaches the user. */

import { fill, h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { t } from "../elements/texts.js";

const DAYS = [
  ["monday", t("Mon")],
  ["tuesday", t("Tue")],
  ["wednesday", t("Wed")],
  ["thursday", t("Thu")],
  ["friday", t("Fri")],
  ["saturday", t("Sat")],
  ["sunday", t("Sun")],
];
const PROPOSED = { from: "22:00", until: "07:00" };

/** Return the section with the form; without quiet hours it proposes a night in the zone of the browser. */
export function quietHoursForm(app, quiet) {
  let isSet = quiet.from !== null;
  const from = field("from", t("From"), { kind: "time", attributes: { value: quiet.from ?? PROPOSED.from, required: true } });
  const until = field("until", t("Until"), { kind: "time", attributes: { value: quiet.until ?? PROPOSED.until, required: true } });
  const zones = h("datalist", { id: "time-zones" }, (Intl.supportedValuesOf?.("timeZone") ?? []).map((value) => h("option", { value })));
  const zone = field("zone", t("Time zone"), {
    hint: t("The time at which you are quiet follows the clock of this place."),
    attributes: { value: isSet ? quiet.zone : Intl.DateTimeFormat().resolvedOptions().timeZone, list: zones.id, autocomplete: "off", spellcheck: "false" },
  });
  const days = dayChoice(isSet ? quiet.days : DAYS.map(([day]) => day));
  const off = h("button.button.plain.full", { type: "button", hidden: !isSet, onclick: turnOff }, t("Turn off"));
  const state = h("p.secondary", { role: "status" });
  const times = { element: h("div.quiet-times", {}, from.element, until.element), setError: () => {} };
  const sheet = form({ inputs: [times, zone, days], action: t("Save quiet hours"), submit: save, extra: [off, zones] });
  show();
  return h("section", { "aria-label": t("Quiet hours") }, h("h2", {}, t("Quiet hours")), state, sheet);

  function show() {
    off.hidden = !isSet;
    const times = { from: from.input.value, until: until.input.value };
    fill(
      state,
      isSet
        ? t("From {from} until {until} you get no push and no mail, except about security and moderation.", times)
        : t("You have none: notifications reach you at any time."),
    );
  }

  async function save() {
    const body = { zone: zone.input.value.trim(), from: from.input.value, until: until.input.value, days: days.chosen() };
    if (body.days.length === 0) throw Object.assign(new Error(t("Choose a day.")), { fields: { days: t("Choose a day, or turn quiet hours off.") } });
    await app.api.put("/notifications/quiet-hours", body);
    isSet = true;
    show();
    app.toasts.show(t("Quiet hours are saved"), { iconName: "check" });
  }

  async function turnOff() {
    try {
      await app.api.delete("/notifications/quiet-hours");
      isSet = false;
      show();
      app.toasts.show(t("Quiet hours are off"), { iconName: "check" });
    } catch (error) {
      app.toasts.error(error);
    }
  }
}

/** Return `{element, input, name, setError, chosen}`: the days of the week, each of which can be chosen. */
function dayChoice(chosen) {
  const boxes = DAYS.map(([day, label]) => [day, h("input", { type: "checkbox", name: "days", value: day, checked: chosen.includes(day) }), label]);
  const error = h("p.error", { hidden: true });
  const labels = boxes.map(([, input, label]) => h("label.day", {}, input, h("span", {}, label)));
  const element = h("fieldset.field.days", {}, h("legend.label", {}, t("Days on which they begin")), h("div", {}, labels), error);
  const setError = (message) => {
    fill(error, message ?? "");
    error.hidden = !message;
  };
  return { element, input: boxes[0][1], name: "days", setError, chosen: () => boxes.filter(([, input]) => input.checked).map(([day]) => day) };
}
