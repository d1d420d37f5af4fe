/** The design system on one page: the tokens of css/tokens.css, and the components in their states. */

import { components } from "./components.js";
import { h } from "../elements/dom.js";
import { themeChoice } from "../elements/theme.js";

/** Tokens by their kind: how a sample shows its token. */
const TOKENS = [
  ["Colours", "colour", "background", ["background", "surface", "surface-sunken", "line", "line-strong", "text", "text-secondary", "text-faint", "link", "action", "on-action", "accent", "on-accent", "success", "warning", "warning-background", "error", "error-background", "focus", "on-picture", "scrim", "picture-ground", "picture-label"]],
  ["Type", "text", "font-size", ["font-size-tiny", "font-size-small", "font-size-body", "font-size-field", "font-size-large", "font-size-larger", "font-size-title", "font-size-display"]],
  ["Weight", "text", "font-weight", ["weight-normal", "weight-medium", "weight-strong", "weight-bold"]],
  ["Spacing", "length", "inline-size", ["space-half", "space-1", "space-2", "space-3", "space-4", "space-5", "space-6", "space-7"]],
  ["Sizes", "length", "inline-size", ["target-size", "control-size", "bar-height"]],
  ["Corners", "box", "border-radius", ["radius-tiny", "radius-small", "radius", "radius-large", "radius-full"]],
  ["Shadows", "box", "box-shadow", ["shadow", "shadow-high"]],
];
const SAMPLE = "Photos of the people you follow";

/** Create the page at "/design". */
export function designPage(app) {
  const theme = themeChoice();
  const element = h(
    "div.design",
    {},
    h("div.page-head", {}, h("h1", {}, "Design"), h("a.text-button", { href: "/" }, "PicShare"), theme.element),
    h("p.secondary", {}, "Tokens and components of PicShare, as its pages use them. Each colour has a light and a dark value; the choice above shows both."),
    TOKENS.map((kind) => tokensOf(...kind)),
    components(app),
  );
  return { title: "Design", element, wide: true, leave: theme.leave };
}

function tokensOf(heading, kind, property, names) {
  const items = names.map((name) => {
    const sample = h(`span.design-sample.${kind}`, { style: { [property]: `var(--${name})` } }, kind === "text" ? SAMPLE : null);
    return h("li", { class: kind }, sample, h("code", {}, `--${name}`));
  });
  return h("section", {}, h("h2", {}, heading), h("ul.design-tokens", {}, items));
}
