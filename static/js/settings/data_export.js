/** The page "Your data": request an archive of the account, follow its state, and download it; and import others. */

import { DataImport } from "./data_import.js";
import { emptyState, fill, h, icon } from "../elements/dom.js";
import { number, t, tn, written } from "../elements/texts.js";
import { unavailable } from "../elements/unavailable.js";
import { dateElement, timeElement } from "../elements/time.js";

/** Between two requests while an archive is being made, in milliseconds. */
const POLL_INTERVAL = 4000;
const UNFINISHED = new Set(["queued", "running"]);
const STATES = {
  queued: t("Waiting"),
  running: t("In progress"),
  ready: t("Ready"),
  failed: t("Failed"),
  expired: t("Expired"),
};
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** Create the page at "/settings/data". */
export function dataExportPage(app) {
  let timer = 0;
  let left = false;
  const content = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading your exports") }));
  const load = async () => {
    clearTimeout(timer);
    try {
      draw((await app.api.get("/users/me/exports")).items);
    } catch (error) {
      if (!left) fill(content, unavailable(app, { heading: t("Could not load your exports"), error, again: load }));
    }
  };
  const draw = (items) => {
    if (left) return;
    const unfinished = items.some((item) => UNFINISHED.has(item.state));
    button.disabled = unfinished;
    const none = () => emptyState("layers", t("No exports yet"), t("An archive stays here for some days."));
    fill(content, items.length > 0 ? h("ul.user-list.panel", {}, items.map((item) => h("li", {}, row(item)))) : none());
    if (unfinished) timer = setTimeout(load, POLL_INTERVAL);
  };
  const request = async () => {
    button.disabled = true;
    try {
      await app.api.post("/users/me/exports");
    } catch (error) {
      button.disabled = false;
      app.toasts.error(error);
    }
    await load();
  };
  const button = h("button.button.plain.compact", { type: "button", onclick: request }, icon("plus"), t("New export"));
  load();
  const section = new DataImport(app);
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Your data")), button),
    h(
      "p.secondary.page-text",
      {},
      t("An archive has your original photos, your profile, and what you have written, liked and saved, with a page to look at it offline. You can request one a day. The link of a download works without signing in, so keep it to yourself."),
    ),
    content,
    section.element,
  );
  const leave = () => {
    left = true;
    section.leave();
    clearTimeout(timer);
  };
  return { title: t("Your data"), element, leave };
}

function row({ state, url, bytes, photos, error, created_at: createdAt, expires_at: expiresAt }) {
  const facts = [];
  if (state === "ready") {
    facts.push(tn("{count} photo, {size}, until {date}", "{count} photos, {size}, until {date}", photos, { size: size(bytes), date: dateElement(expiresAt) }));
  } else if (state === "failed") facts.push(error);
  else if (UNFINISHED.has(state)) facts.push(t("You are notified when it is ready."));
  return h(
    "div.user-row",
    {},
    h(
      "span.user-names",
      {},
      h("span.name", {}, t("Requested {time}", { time: timeElement(createdAt, { inSentence: true }) })),
      facts.length > 0 && h("span.secondary.small", {}, facts),
    ),
    url
      ? h("a.button.compact", { href: url, download: "" }, t("Download"))
      : h("span.webhook-state", { role: "status", data: { state } }, STATES[state] ?? state),
  );
}

/** Return a number of bytes in the greatest unit of which there is at least one. */
function size(bytes) {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const format = { style: "unit", unit: UNITS[power], unitDisplay: "short", maximumFractionDigits: power > 1 ? 1 : 0 };
  return written(() => number(bytes / 1000 ** power, format));
}
