/** The dialog with the users who like a photo, the newest like first. */

import { append, emptyState, fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { userRow } from "../users/user.js";

const PAGE_SIZE = 30;

/** Show who likes a photo, page by page. */
export function likersDialog(app, photo) {
  const list = h("ul.user-list", { hidden: true });
  const tail = h("div");
  const load = async (cursor) => {
    fill(tail, h("div.spinner", { role: "status", "aria-label": t("Loading") }));
    try {
      const { items, next } = await app.api.get(`/photos/${photo.id}/likes`, { cursor, limit: PAGE_SIZE });
      append(list, items.map((user) => h("li", {}, userRow(user))));
      list.hidden = list.childElementCount === 0;
      const more = next && h("button.button.plain", { type: "button", onclick: () => load(next) }, t("Show more"));
      fill(tail, more, list.hidden && emptyState("heart", t("No likes yet"), t("People who like this photo appear here.")));
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: () => load(cursor) }, t("Try again"));
      fill(tail, emptyState("cloud", t("Could not load the likes"), error.message, again));
    }
  };
  const dialog = h(
    "dialog.likers",
    { "aria-labelledby": "likers-heading" },
    h("h2", { id: "likers-heading" }, t("Likes")),
    h("div.likers-body", {}, list, tail),
    h("div.dialog-actions", {}, h("button.button", { type: "button", onclick: () => dialog.close() }, t("Close"))),
  );
  // A link leads to a profile, which the dialog would cover.
  dialog.addEventListener("click", ({ target }) => target.closest("a") && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  load(null);
}
