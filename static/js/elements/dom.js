/**
 * Create elements. Text from users enters the page as text nodes only: neither this module nor any other part of
 * PicShare's pages parses a string as markup.
 */

import { nodesOf, setAttribute } from "./shown_texts.js";
import { Message, number, t, tn, written } from "./texts.js";

/** Icons with more than the usual class: those that point along a line are mirrored in lines from right to left. */
const CLASSES = { more: "icon dots", back: "icon pointing", forward: "icon pointing", out: "icon pointing" };
const SVG = "http://www.w3.org/2000/svg";

/**
 * Return an element with properties and children.
 *
 * `tag` may carry classes ("a.button.plain"). A property named `on…` is a listener, `style` is an object of
 * CSS properties, `data` an object for `dataset`; `true` sets an empty attribute; null, undefined and false set
 * nothing. Children are nodes, strings, numbers, messages (texts.js), or arrays of these; null and false are left out.
 */
export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties ?? {})) apply(element, key, value);
  append(element, children);
  return element;
}

/** Return the image of PicShare, the file that the page has loaded already. */
export function logo(properties = {}) {
  return h("img", { src: document.querySelector("link[rel=icon]").href, alt: "", ...properties });
}

function apply(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key.startsWith("on")) {
    element.addEventListener(key.slice(2), value);
  } else if (key === "style") {
    for (const [property, setting] of Object.entries(value)) element.style.setProperty(property, setting);
  } else if (key === "data") {
    Object.assign(element.dataset, value);
  } else {
    setAttribute(element, key, value === true ? "" : value);
  }
}

/** Append nodes, strings, numbers, messages and arrays of these to an element. */
export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    if (child instanceof Message) element.append(...nodesOf(child));
    else element.append(child instanceof Node ? child : String(child));
  }
}

/** Replace the children of an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** Return a decorative icon by its name in `ICONS`. It is hidden from screen readers, so its meaning needs a text. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", CLASSES[name] ?? "icon");
  svg.setAttribute("aria-hidden", "true");
  for (const outline of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", outline);
    svg.append(path);
  }
  return svg;
}

/** Return a number of new things as a badge shows it. */
export function unseenNumber(unseen) {
  return [written(() => (unseen > 99 ? `${number(99)}+` : number(unseen))), " ", visuallyHidden(tn("new", "new", unseen))];
}

/** Return a text for screen readers only. */
export function visuallyHidden(...text) {
  return h("span.visually-hidden", {}, text);
}

/** Return a message with a capital letter and a full stop. */
export function asSentence(text) {
  const words = String(text).trim();
  return words ? words[0].toUpperCase() + words.slice(1) + (/[.!?\u061f]$/.test(words) ? "" : ".") : words;
}

/** Return what a page shows when it has no content: an icon, a heading, a sentence, and actions. */
export function emptyState(iconName, heading, text, ...actions) {
  return h("div.empty-state", {}, icon(iconName), h("h2", {}, heading), text && h("p", {}, text), actions);
}

/** Return the same as the only content of a page, so that its heading is the page's. */
export function emptyPage(iconName, heading, text, ...actions) {
  return h("div.empty-state", {}, icon(iconName), h("h1", {}, heading), text && h("p", {}, text), actions);
}

/** Return what a page shows before its heading is known, with a heading for screen readers. */
export function loadingPage(label) {
  return [h("h1.visually-hidden", {}, label), h("div.spinner", { role: "status", "aria-label": label })];
}

/** Ask for confirmation of an action, with `danger` of one that cannot be undone; resolves to true if the user confirms. */
export function confirmDialog({ heading, text, action, danger = true }) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { "aria-labelledby": "dialog-heading" },
      h("h2", { id: "dialog-heading" }, heading),
      h("p", {}, text),
      h(
        "div.dialog-actions",
        {},
        h("button.button.plain", { type: "button", onclick: () => dialog.close("") }, t("Cancel")),
        h(danger ? "button.button.danger" : "button.button", { type: "button", onclick: () => dialog.close("yes") }, action),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

const ICONS = {
  home: ["M4 10.5 12 4l8 6.5V19a1 1 0 0 1-1 1h-4.5v-5.5h-5V20H5a1 1 0 0 1-1-1z"],
  search: ["M11 4.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13z", "m16 16 4 4"],
  plus: ["M7 4h10a3 3 0 0 1 3 3v10a3 3 0 0 1-3 3H7a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z", "M12 8.5v7", "M8.5 12h7"],
  bell: ["M6.5 16.5V11a5.5 5.5 0 0 1 11 0v5.5l1.5 1.5H5z", "M10 20.5h4"],
  heart: ["M12 20s-7.5-4.6-7.5-10.2A4.2 4.2 0 0 1 12 7.3a4.2 4.2 0 0 1 7.5 2.5C19.5 15.4 12 20 12 20z"],
  comment: ["M12 4.5c4.7 0 8.5 3.2 8.5 7.2s-3.8 7.2-8.5 7.2c-1 0-2-.1-2.9-.4L4.5 20l1.2-3.6a6.6 6.6 0 0 1-2.2-4.7c0-4 3.8-7.2 8.5-7.2z"],
  menu: ["M4.500 7h15", "M4.500 12h15", "M4.500 17h15"],
  theme: ["M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16z", "M12 4v16", "M12 8h6.500", "M12 12h8", "M12 16h6.500"],
  more: ["M5.5 12h.01", "M12 12h.01", "M18.5 12h.01"],
  pencil: ["m4.5 19.500 1-4.500L15.5 5l3.500 3.500L9 18.500z", "m13.500 7 3.500 3.500"],
  pin: ["M12 15v5.5", "M8 4.500h8l-1.200 5.500 3.200 3.500V15H6v-1.500L9.200 10z"],
  expand: ["M9 4.500H4.500V9", "M15 4.500h4.500V9", "M9 19.500H4.500V15", "M15 19.500h4.500V15"],
  zoom: ["M11 4.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13z", "m16 16 4 4", "M11 8.500v5", "M8.500 11h5"],
  trash: ["M5 7h14", "M9.5 7V4.5h5V7", "M7 7l.8 12.5h8.4L17 7"],
  link: ["M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.300l-1 1", "M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.700l1-1"],
  play: ["M8 5.5v13l10.5-6.5z"],
  pause: ["M8.5 6v12", "M15.5 6v12"],
  image: ["M6 4.500h12A1.5 1.5 0 0 1 19.5 6v12a1.5 1.5 0 0 1-1.5 1.500H6A1.5 1.5 0 0 1 4.5 18V6A1.5 1.5 0 0 1 6 4.500z", "m5 17 4.5-5 3.5 3.5 2.5-2.5 4 4", "M14.8 9h.01"],
  camera: ["M4 8.500h3.500L9 6h6l1.5 2.500H20V19H4z", "M12 10.500a3 3 0 1 1 0 6 3 3 0 0 1 0-6z"],
  person: ["M12 4.500a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7z", "M5 19.500c.4-3.300 3.200-5.500 7-5.500s6.600 2.200 7 5.500"],
  people: ["M9 5a3.2 3.2 0 1 1 0 6.400A3.2 3.2 0 0 1 9 5z", "M3 19c.3-3 2.7-5 6-5s5.7 2 6 5", "M15.5 5.500a3 3 0 0 1 0 5.6", "M17.5 14.300c2 .6 3.3 2.3 3.5 4.7"],
  star: ["m12 4.500 2.300 4.900 5.200.700-3.800 3.700.900 5.300L12 16.600l-4.600 2.500.900-5.300L4.500 10.100l5.200-.700z"],
  bookmark: ["M7 4.500h10a1 1 0 0 1 1 1V20l-6-4.500L6 20V5.500a1 1 0 0 1 1-1z"],
  key: ["M8 11.500a4 4 0 1 1 0 8 4 4 0 0 1 0-8z", "m11 12.500 8-8", "m15.500 8 3 3"],
  devices: ["M4.500 5h12v9h-12z", "M3 17h9.500", "M15 10.500h5.500V19.500H15z"],
  lock: ["M6 10.500h12V20H6z", "M8.5 10.500V8a3.5 3.5 0 0 1 7 0v2.5"],
  crop: ["M7 3.500V17h13.500", "M3.500 7H17v13.500"],
  undo: ["M8.500 14 4.500 10l4-4", "M4.500 10h10a5 5 0 0 1 0 10H11"],
  rotateLeft: ["M5 12a7 7 0 1 0 2.100-5", "M4.500 4v4.500H9"],
  rotateRight: ["M19 12a7 7 0 1 1-2.100-5", "M19.500 4v4.500H15"],
  refresh: ["M19 12a7 7 0 1 1-2.100-5", "M19.500 4v4.500H15"],
  up: ["M12 19V5", "m6 11 6-6 6 6"],
  arrange: ["M8 19V5", "m4.500 8.500 3.500-3.500 3.500 3.500", "M16 5v14", "m12.500 15.500 3.500 3.500 3.500-3.500"],
  back: ["M19 12H5", "m11 6-6 6 6 6"],
  forward: ["M5 12h14", "m13 6 6 6-6 6"],
  layers: ["M8.500 8.500H18A1.5 1.5 0 0 1 19.5 10v8A1.5 1.5 0 0 1 18 19.5h-8A1.5 1.5 0 0 1 8.5 18z", "M5.5 15.500V6A1.5 1.5 0 0 1 7 4.500h8.500"],
  close: ["m6 6 12 12", "M18 6 6 18"],
  cloud: ["M7 18.500a4 4 0 0 1-.5-8A6 6 0 0 1 18 11.500a3.5 3.5 0 0 1-.5 7z"],
  mute: ["M4 9.500v5h3.500L12 18V6L7.5 9.500z", "m16 10 4 4", "m20 10-4 4"],
  block: ["M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16z", "m6.5 6.5 11 11"],
  gear: ["M4.5 7h9", "M18 7h1.5", "M15.8 5a2 2 0 1 1 0 4 2 2 0 0 1 0-4z", "M4.5 17H6", "M10.5 17h9", "M8.2 15a2 2 0 1 1 0 4 2 2 0 0 1 0-4z"],
  out: ["M14 5H6v14h8", "M10.5 12H20", "m16.5 8.5 3.5 3.5-3.5 3.5"],
  flag: ["M6 20.5V4.500", "M6 5.500h11.500l-2.500 3.750L17.500 13H6"],
  check: ["m5 12.5 4.5 4.500L19 7.5"],
};

/** The names of all icons. */
export const ICON_NAMES = Object.keys(ICONS);
