/** The switch for push messages on this device, and the offer to turn them on. */

import { fill, h, icon } from "../elements/dom.js";
import { checkbox } from "../elements/form.js";
import { deviceValues } from "../elements/kept_values.js";
import { t } from "../elements/texts.js";

/** The key in localStorage for the time at which the user has declined the offer. */
const DECLINED_KEY = "picshare.push-declined";
const OFFER_AGAIN_MS = 60 * 24 * 3600 * 1000;

const TEXTS = {
  unavailable: t("This browser cannot show notifications while PicShare is closed."),
  install: t("On iPhone and iPad, install PicShare first: choose Share, then Add to Home Screen, and open it from there."),
  denied: t("Your browser blocks notifications of PicShare. Allow them in the settings of this site, then open this page again."),
  off: t("Likes, comments and new followers can reach you on this device while PicShare is closed."),
  on: t("Notifications reach you on this device while PicShare is closed, until you sign out."),
};

/** Return `{element, leave}`: the switch of this device with its state. */
export function pushSwitch(app) {
  const element = h("div.push-switch", {});
  const draw = () => {
    const { state } = app.push;
    element.dataset.state = state;
    const on = state === "on";
    const button = (state === "on" || state === "off") && h("button.button.plain", { type: "button", onclick: toggle }, icon("bell"), on ? t("Turn off notifications") : t("Turn on notifications"));
    fill(element, h("p.secondary", { role: "status" }, TEXTS[state]), on && hiding(app), button && h("div", {}, button));
  };
  const toggle = ({ currentTarget }) => attempt(app, currentTarget, () => (app.push.state === "on" ? app.push.turnOff() : app.push.turnOn()));
  draw();
  app.push.addEventListener("change", draw);
  return { element, leave: () => app.push.removeEventListener("change", draw) };
}

/** Return `{element, consider, leave}`: an offer that shows after `consider(number)` of notifications, if it is worth it. */
export function pushOffer(app) {
  const element = h("section.push-offer.panel", { hidden: true, "aria-label": t("Notifications on this device") });
  let engaged = false;
  const update = () => {
    element.hidden = !(engaged && app.push.isNew && !declinedLately());
  };
  const turnOn = ({ currentTarget }) =>
    attempt(app, currentTarget, async () => {
      await app.push.turnOn();
      if (app.push.state === "on") app.toasts.show(t("Notifications are on"), { iconName: "bell" });
    });
  const decline = () => {
    deviceValues.set(DECLINED_KEY, String(Date.now()));
    update();
  };
  fill(
    element,
    h("p", {}, h("b", {}, t("Stay up to date while PicShare is closed")), h("span.secondary.small", {}, TEXTS.off)),
    h("button.button.compact", { type: "button", onclick: turnOn }, t("Turn on")),
    h("button.button.plain.compact", { type: "button", onclick: decline }, t("Not now")),
  );
  app.push.addEventListener("change", update);
  const consider = (number) => {
    engaged = number > 0;
    update();
  };
  return { element, consider, leave: () => app.push.removeEventListener("change", update) };
}

function hiding(app) {
  const box = checkbox("hide_content", t("Hide names and comments"), t("Notifications then say what has happened, but not by whom."), app.push.hidesContent);
  box.input.addEventListener("change", () => attempt(app, box.input, () => app.push.hideContent(box.input.checked)));
  return box.element;
}

/** Work with a control disabled, and show what went wrong. */
async function attempt(app, control, work) {
  control.disabled = true;
  try {
    await work();
  } catch (error) {
    const refused = error.name === "AbortError" || error.name === "NotAllowedError";
    app.toasts.error(refused ? new Error(t("The push service of your browser cannot be reached right now.")) : error);
  } finally {
    control.disabled = false;
  }
}

function declinedLately() {
  return Date.now() - Number(deviceValues.get(DECLINED_KEY)) < OFFER_AGAIN_MS;
}
