/** The form of the quiet hours, in which nothing but notices about security and moderation reaches the user. */

import { h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";

const DAYS = [
  ["monday", "Mon"],
  ["tuesday", "Tue"],
  ["wednesday", "Wed"],
  ["thursday", "Thu"],
  ["friday", "Fri"],
  ["saturday", "Sat"],
  ["sunday", "Sun"],
];
const PROPOSED = { from: "22:00", until: "07:00" };

/** Return the section with the form; without quiet hours it proposes a night in the zone of the browser. */
export function quietHoursForm(app, quiet) {
  let isSet = quiet.from !== null;
  const from = field("from", "From", { kind: "time", attributes: { value: quiet.from ?? PROPOSED.from, required: true } });
  const until = field("until", "Until", { kind: "time", attributes: { value: quiet.until ?? PROPOSED.until, required: true } });
  const zones = h("datalist", { id: "time-zones" }, (Intl.supportedValuesOf?.("timeZone") ?? []).map((value) => h("option", { value })));
  const zone = field("zone", "Time zone", {
    hint: "The time at which you are quiet follows the clock of this place.",
    attributes: { value: isSet ? quiet.zone : Intl.DateTimeFormat().resolvedOptions().timeZone, list: zones.id, autocomplete: "off", spellcheck: "false" },
  });
  const days = dayChoice(isSet ? quiet.days : DAYS.map(([day]) => day));
  const off = h("button.button.plain.full", { type: "button", hidden: !isSet, onclick: turnOff }, "Turn off");
  const state = h("p.secondary", { role: "status" });
  const times = { element: h("div.quiet-times", {}, from.element, until.element), setError: () => {} };
  const sheet = form({ inputs: [times, zone, days], action: "Save quiet hours", submit: save, extra: [off, zones] });
  show();
  return h("section", { "aria-label": "Quiet hours" }, h("h2", {}, "Quiet hours"), state, sheet);

  function show() {
    off.hidden = !isSet;
    state.textContent = isSet
      ? `From ${from.input.value} until ${until.input.value} you get no push and no mail, except about security and moderation.`
      : "You have none: notifications reach you at any time.";
  }

  async function save() {
    const body = { zone: zone.input.value.trim(), from: from.input.value, until: until.input.value, days: days.chosen() };
    if (body.days.length === 0) throw Object.assign(new Error("Choose a day."), { fields: { days: "Choose a day, or turn quiet hours off." } });
    await app.api.put("/notifications/quiet-hours", body);
    isSet = true;
    show();
    app.toasts.show("Quiet hours are saved", { iconName: "check" });
  }

  async function turnOff() {
    try {
      await app.api.delete("/notifications/quiet-hours");
      isSet = false;
      show();
      app.toasts.show("Quiet hours are off", { iconName: "check" });
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
  const element = h("fieldset.field.days", {}, h("legend.label", {}, "Days on which they begin"), h("div", {}, labels), error);
  const setError = (message) => {
    error.textContent = message ?? "";
    error.hidden = !message;
  };
  return { element, input: boxes[0][1], name: "days", setError, chosen: () => boxes.filter(([, input]) => input.checked).map(([day]) => day) };
}
