/** The section of the settings about the appearance: the theme. */

import { h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { themeChoice } from "../elements/theme.js";

/** Create the page at "/settings/appearance". */
export function appearanceSection() {
  const choice = themeChoice();
  const text = t("Automatic is as your device is set, and changes with it. This browser keeps your choice, for all its tabs and for the time after you sign out.");
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Appearance"))),
    h("div.settings-parts", {}, h("section", {}, h("h2", {}, t("Theme")), choice.element, h("p.secondary", {}, text))),
  );
  return { title: t("Appearance"), element, leave: choice.leave };
}
