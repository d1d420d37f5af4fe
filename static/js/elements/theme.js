/** The choice of the theme, which this browser keeps, for its users and for visitors alike. */

import { h } from "./dom.js";
import { t } from "./texts.js";

/** As in static/theme.js, which applies the theme. */
const KEY = "picshare.theme";

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

/** Choose a theme in all tabs of this browser; if it keeps nothing, for the time of this page. */
export function chooseTheme(theme) {
  const newValue = theme === "automatic" ? null : theme;
  try {
    if (newValue) localStorage.setItem(KEY, newValue);
    else localStorage.removeItem(KEY);
  } catch {
    // The event below changes this page.
  }
  // Other tabs receive this event from the browser.
  dispatchEvent(new StorageEvent("storage", { key: KEY, newValue }));
}

/** Return `{element, leave}`: the choice as a group of radio buttons. */
export function themeChoice() {
  const inputs = THEMES.map(([value, label]) => {
    const input = h("input", { type: "radio", name: "theme", value, onchange: () => chooseTheme(value) });
    return { input, element: h("label.segment", {}, input, h("span", {}, label)) };
  });
  const show = () => {
    for (const { input } of inputs) input.checked = input.value === chosenTheme();
  };
  show();
  addEventListener("storage", show);
  const element = h("fieldset.theme-choice", {}, h("legend.visually-hidden", {}, t("Theme")), h("div.segments", {}, inputs.map((input) => input.element)));
  return { element, leave: () => removeEventListener("storage", show) };
}
