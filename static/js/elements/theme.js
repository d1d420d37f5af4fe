/**
 * The choice of the theme, which this browser keeps, for its users and for visitors alike.
 *
 * It is in a cookie, so that the server sends the page with its theme: no script has to run before the page is drawn.
 * `localStorage` has it as well, for other tabs, which the browser informs, and for the page without a connection.
 */

import { h } from "./dom.js";
import { deviceValues } from "./kept_values.js";
import { t } from "./texts.js";

const KEY = "picshare.theme";
/** As in server/edge/pages.py. */
const COOKIE = "picshare_theme";
const YEAR = 31_536_000;

/** The themes as [value, label]. */
export const THEMES = [
  ["automatic", t("Automatic")],
  ["light", t("Light")],
  ["dark", t("Dark")],
];

/** Return the value of the chosen theme. */
export function chosenTheme() {
  return document.documentElement.dataset.theme ?? "automatic";
}

/** Choose a theme in all tabs of this browser. */
export function chooseTheme(theme) {
  const newValue = theme === "automatic" ? null : theme;
  document.cookie = `${COOKIE}=${newValue ?? ""}; path=/; max-age=${newValue ? YEAR : 0}; samesite=lax`;
  if (newValue) deviceValues.set(KEY, newValue);
  else deviceValues.remove(KEY);
  // Other tabs receive this event from the browser.
  dispatchEvent(new StorageEvent("storage", { key: KEY, newValue }));
}

/** Keep the theme of this page that of the browser from now on, and the colour of the browser's bars that of the page. */
export function followTheme() {
  addEventListener("storage", ({ key, newValue }) => key === KEY && apply(newValue));
  // Without a connection the page is that of any visitor, without a theme.
  apply(document.documentElement.dataset.theme ?? deviceValues.get(KEY));
}

function apply(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
    const { scheme } = meta.dataset;
    if (theme) meta.media = theme === scheme ? "all" : "not all";
    else meta.media = `(prefers-color-scheme: ${scheme})`;
  }
}

/** Return `{element, leave}`: the choice as a group of radio buttons, with a name to be seen where no heading has it. */
export function themeChoice({ isNamed = false } = {}) {
  const inputs = THEMES.map(([value, label]) => {
    const input = h("input", { type: "radio", name: "theme", value, onchange: () => chooseTheme(value) });
    return { input, element: h("label.segment", {}, input, h("span", {}, label)) };
  });
  const show = () => {
    for (const { input } of inputs) input.checked = input.value === chosenTheme();
  };
  show();
  addEventListener("storage", show);
  const element = h("fieldset.theme-choice", {}, h(isNamed ? "legend.small.secondary" : "legend.visually-hidden", {}, t("Theme")), h("div.segments", {}, inputs.map((input) => input.element)));
  return { element, leave: () => removeEventListener("storage", show) };
}
