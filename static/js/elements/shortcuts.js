/** Keyboard shortcuts of a page, and the list of them, which "?" opens. */

import { h } from "./dom.js";
import { t } from "./texts.js";

/** The lists that are handled, the oldest first. */
const handled = [];

/**
 * Handle the keys of `shortcuts`, a list of [key, label, action], until the returned function is called.
 *
 * Of several lists the newest is in force. Keys are ignored in fields and dialogs, and with Ctrl, Alt or Meta, which belong to the browser.
 */
export function handleShortcuts(shortcuts) {
  const pressed = (event) => {
    if (handled.at(-1) !== shortcuts) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
    if (event.key === "?") {
      event.preventDefault();
      shortcutsDialog(shortcuts);
      return;
    }
    const found = shortcuts.find(([key]) => key === event.key);
    // Enter and the space bar belong to the button or link that has the focus.
    if (!found || ((event.key === "Enter" || event.key === " ") && event.target.closest?.("a, button, summary"))) return;
    event.preventDefault();
    found[2]();
  };
  handled.push(shortcuts);
  document.addEventListener("keydown", pressed);
  return () => {
    handled.splice(handled.indexOf(shortcuts), 1);
    document.removeEventListener("keydown", pressed);
  };
}

/** Show the shortcuts. */
export function shortcutsDialog(shortcuts) {
  const rows = [...shortcuts, ["?", t("Show this list")]].map(([key, label]) => [h("dt", {}, h("kbd", {}, key === " " ? t("Space") : key)), h("dd", {}, label)]);
  const dialog = h(
    "dialog",
    { "aria-labelledby": "shortcuts-heading" },
    h("h2", { id: "shortcuts-heading" }, t("Keyboard shortcuts")),
    h("dl.shortcuts", {}, rows),
    h("div.dialog-actions", {}, h("button.button", { type: "button", onclick: () => dialog.close() }, t("Close"))),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
