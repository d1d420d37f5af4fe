/** The menu of a photo: share its link, save it, edit and delete the user's own photo, report another one. */

import { confirmDialog, h, icon } from "../elements/dom.js";
import { embedDialog, linkItems } from "../elements/links.js";
import { muteItem } from "./muted_subjects.js";
import { photoPath } from "./photo_image.js";
import { reportDialog } from "../reports/report_dialog.js";
import { savePhoto } from "./saving.js";
import { t } from "../elements/texts.js";
import { displayName } from "../users/user.js";

/** Return a "more" button with the menu of a photo. */
export function photoMenu(app, photo) {
  const own = photo.author.id === app.session.id;
  const items = [
    ...linkItems(app, photoPath(photo.id), t("Photo by {name}", { name: displayName(photo.author) })),
    photo.audience === "public" && ["image", t("Embed"), () => embedDialog(app, photoPath(photo.id))],
    own && ["pencil", t("Edit photo"), () => later(app, async () => (await import("./photo_edit.js")).editPhoto(app, photo))],
    ["bookmark", t("Save"), () => savePhoto(app, photo)],
    ["heart", t("Show likes"), () => later(app, async () => (await import("./likers.js")).likersDialog(app, photo))],
    app.session.id && muteItem(app, `/photos/${photo.id}/mute`, "photo"),
    !own && app.session.id && ["flag", t("Report photo"), () => reportDialog(app, { kind: "photo", id: photo.id, what: t("Report this photo"), account: photo.author.username })],
    own && ["trash", t("Delete photo"), () => deletePhoto(app, photo), "danger"],
  ];
  return menu(t("Photo options"), items.filter(Boolean));
}

/** Return a button that opens a list of [icon, label, action, class?]. */
export function menu(label, items) {
  const button = h("button.icon-button", { type: "button", "aria-label": label, "aria-haspopup": "menu", "aria-expanded": "false" }, icon("more"));
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
    list = h(
      "div.menu-list",
      { role: "menu" },
      items.map(([iconName, text, action, kind]) => {
        const choose = () => {
          close(true);
          action();
        };
        return h("button", { type: "button", role: "menuitem", class: kind ?? "", onclick: choose }, icon(iconName), text);
      }),
    );
    root.append(list);
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", closeOutside);
    list.firstElementChild.focus();
  };
  button.addEventListener("click", () => (list ? close(true) : open()));
  root.addEventListener("keydown", (event) => {
    if (!list) return;
    const entries = [...list.children];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") close(true);
    if (event.key === "Tab") close(false);
    if (!step) return;
    event.preventDefault();
    const next = (entries.indexOf(document.activeElement) + step + entries.length) % entries.length;
    entries[next].focus();
  });
  return root;
}

/** Open what is loaded when it is needed. */
async function later(app, open) {
  try {
    await open();
  } catch {
    app.toasts.show(t("Check your connection, then try again."));
  }
}

async function deletePhoto(app, photo) {
  const agreed = await confirmDialog({
    heading: t("Delete this photo?"),
    text: t("It will be removed for everyone, with its likes and comments. This cannot be undone."),
    action: t("Delete"),
  });
  if (!agreed) return;
  try {
    await app.api.delete(`/photos/${photo.id}`);
    app.photos.remove(photo.id);
    app.toasts.show(t("Photo deleted"), { iconName: "check" });
  } catch (error) {
    app.toasts.error(error);
  }
}
