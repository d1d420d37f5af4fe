/** The dialog with a secret, which is shown once and can be copied. */

import { h } from "./dom.js";
import { t } from "./texts.js";

/** Show a value under a heading and an explanation. */
export function showSecret(app, { heading, text, value }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      app.toasts.show(t("Copied"), { iconName: "check" });
    } catch {
      // Without a secure context there is no clipboard; the text can be selected.
      getSelection().selectAllChildren(shown);
    }
  };
  const shown = h("code.webhook-secret", { tabindex: "0" }, value);
  const dialog = h(
    "dialog.keep.webhook-dialog",
    { "aria-labelledby": "secret-heading" },
    h("h2", { id: "secret-heading" }, heading),
    h("p.secondary", {}, text),
    shown,
    h(
      "div.dialog-actions",
      {},
      h("button.button.plain", { type: "button", onclick: copy }, t("Copy")),
      h("button.button", { type: "button", onclick: () => dialog.close() }, t("Done")),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
