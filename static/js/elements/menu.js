/** Menus: a button that opens a list of actions, links and choices next to it, all usable by the keyboard. */

import { h, icon } from "./dom.js";

/**
 * Return a button that opens a list of items.
 *
 * An item is [icon, label, action, class?], where the action is a function, or the path of a page; or a choice
 * `{label, options, chosen(), choose(value)}` among [value, label], which leaves the menu open.
 */
export function menu(label, items) {
  return menuOf(h("button.icon-button", { type: "button", "aria-label": label }, icon("more")), () => items);
}

/** Return the same with a button of another look; `items()` is called each time the menu opens. */
export function menuOf(button, items) {
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  const root = h("div.menu", {}, button);
  let list = null;

  const close = (refocus) => {
    if (!list) return;
    list.remove();
    list = null;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", closeOutside);
    if (refocus) button.focus();
  };
  const closeOutside = (event) => {
    if (!root.contains(event.target)) close(false);
  };
  const open = () => {
    list = h("div.menu-list", { role: "menu", "aria-label": button.ariaLabel ?? button.textContent }, items().map((item) => itemOf(item, close)));
    root.append(list);
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", closeOutside);
    entriesOf(list)[0].focus();
  };
  button.addEventListener("click", () => (list ? close(true) : open()));
  root.addEventListener("keydown", (event) => {
    if (!list) return;
    const entries = entriesOf(list);
    const at = entries.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape") close(true);
    if (event.key === "Tab") close(false);
    if (next === undefined) return;
    event.preventDefault();
    entries.at(next % entries.length).focus();
  });
  return root;
}

function itemOf(item, close) {
  if (!Array.isArray(item)) return choiceOf(item);
  const [iconName, text, action, kind] = item;
  const leads = typeof action === "string";
  const choose = () => {
    // A link moves the focus to the page that it opens.
    close(!leads);
    if (!leads) action();
  };
  const properties = { role: "menuitem", class: kind ?? "", onclick: choose };
  return h(leads ? "a" : "button", leads ? { ...properties, href: action } : { ...properties, type: "button" }, icon(iconName), text);
}

function choiceOf({ label, options, chosen, choose }) {
  const buttons = options.map(([value, text]) => {
    const chooseThis = () => {
      choose(value);
      mark();
    };
    return h("button", { type: "button", role: "menuitemradio", data: { value }, onclick: chooseThis }, text);
  });
  const mark = () => {
    for (const button of buttons) button.setAttribute("aria-checked", String(button.dataset.value === chosen()));
  };
  mark();
  return h("div.menu-choice", { role: "group", "aria-label": label }, h("span.small.secondary", { "aria-hidden": "true" }, label), h("div.segments", { role: "presentation" }, buttons));
}

function entriesOf(list) {
  return [...list.querySelectorAll("[role^=menuitem]")];
}
