/** The menu of a photo: share its link, save it, edit and delete the user's own photo, report another one. */

import { confirmDialog } from "../elements/dom.js";
import { embedDialog, linkItems } from "../elements/links.js";
import { menu } from "../elements/menu.js";
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
