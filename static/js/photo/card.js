/** A photo in a feed (a card) or in a grid (a cell), kept up to date while it is shown. */

import { audienceMark, audienceName } from "../post/audience.js";
import { append, fill, h, icon, visuallyHidden } from "../elements/dom.js";
import { linked } from "../elements/entities.js";
import { setAttribute } from "../elements/shown_texts.js";
import { folded } from "./folded_caption.js";
import { count, Like, likeButton, onDoubleTap, showHeart } from "./like.js";
import { describe, photoPath, squareFrame } from "./photo_image.js";
import { photoMenu } from "./photo_menu.js";
import { applyFields, PhotoPictures } from "./photo_pictures.js";
import { markViewable, viewButton } from "./photo_viewer.js";
import { saveButton } from "./saving.js";
import { moderationNote, moderationText } from "./sensitive.js";
import { listed, t, tn } from "../elements/texts.js";
import { timeElement } from "../elements/time.js";
import { avatar, displayName, nameLink, profilePath } from "../users/user.js";
import { videoMark } from "./video.js";

/** Return `{element, leave}`: a photo with its author, actions and caption. */
export function photoCard(app, photo, { first = false } = {}) {
  const like = new Like(app, photo);
  const { button, update } = likeButton(photo, like);
  const save = app.session.id && saveButton(app, photo);
  const comments = h("a.action", { href: photoPath(photo.id) });
  const showComments = () =>
    fill(comments, icon("comment"), visuallyHidden(t("Comments"), ", "), h("span", {}, count(photo.comments)));
  showComments();

  const pictures = new PhotoPictures(photo, {
    first,
    refetch: photoFetcher(app, photo),
    prepare: (shown) => likeByDoubleTap(shown, like, () => app.router.go(photoPath(photo.id))),
  });
  const head = cardHead(app, photo);
  const text = h("div.card-text", {}, folded(captionOf(photo), photo.caption));
  const element = h(
    "article.card",
    { "aria-label": t("Photo by {name}", { name: displayName(photo.author) }), data: { photo: photo.id } },
    head,
    h("div.view-area", {}, pictures.element, viewButton(app, () => element)),
    h("div.card-actions", {}, button, comments, save && save.button),
    text,
  );
  markViewable(element, photo);
  const stop = app.photos.watch(photo.id, (fields) => {
    applyFields(photo, fields);
    update();
    save?.update();
    showComments();
    if ("edited_at" in fields) showDescription(photo, { head, text, pictures });
  });
  return { element, leave: stop };
}

/** Like a photo by a double tap on an element; `single` is called after a tap that no second one follows. */
export function likeByDoubleTap(element, like, single) {
  const liked = () => {
    like.set(true);
    showHeart(element);
  };
  onDoubleTap(element, liked, single);
}

/** Return a function that fetches a photo again. */
export function photoFetcher(app, photo) {
  return () => app.api.get(`/photos/${photo.id}`);
}

/** Return the head of a card: the author, the time and the place of a photo. */
export function cardHead(app, photo) {
  return h(
    "header.card-head",
    {},
    h("a", { href: profilePath(photo.author), tabindex: "-1", "aria-hidden": "true" }, avatar(photo.author)),
    h(
      "div.user-names",
      {},
      nameLink(photo.author),
      h("span.secondary.small", {}, h("a", { href: photoPath(photo.id) }, timeElement(photo.created_at)), h("span.place", {}, placeOf(photo)), h("span.for", {}, audienceMark(photo))),
    ),
    photoMenu(app, photo),
  );
}

/** Show the description of a photo that was edited, in the parts of a card. */
export function showDescription(photo, { head, text, pictures }) {
  fill(text, moderationNote(photo), captionOf(photo));
  fill(head.querySelector(".place"), placeOf(photo));
  fill(head.querySelector(".for"), audienceMark(photo));
  pictures.update(photo);
}

function placeOf(photo) {
  return photo.location ? [" · ", h("bdi", {}, photo.location)] : [];
}

/** Return the caption and tags of a photo as nodes; none when it has neither. */
export function captionOf(photo) {
  const nodes = [];
  if (photo.caption) nodes.push(h("p.caption", { dir: "auto" }, linked(photo.caption, photo.caption_entities)));
  if (photo.tags?.length > 0) {
    const links = photo.tags.map((tag) => h("a", { href: `/tag/${encodeURIComponent(tag)}` }, `#${tag}`));
    nodes.push(h("p.tags", { dir: "auto" }, links));
  }
  return nodes;
}

/** Return `{element, leave}`: a photo cropped to a square of about `side` CSS pixels, as a link to its page. */
export function photoCell(app, photo, { side = Math.min(innerWidth, 960) / 3 } = {}) {
  const counts = h("span.counts", { "aria-hidden": "true" });
  const show = () => {
    counts.replaceChildren();
    append(counts, [
      h("span", {}, icon("heart"), count(photo.likes)),
      h("span", {}, icon("comment"), count(photo.comments)),
    ]);
  };
  show();
  const element = h("a.cell", { href: photoPath(photo.id), data: { photo: photo.id } });
  markViewable(element, photo);
  const draw = () => {
    const number = photo.items?.length;
    const details = [number && tn("{count} picture", "{count} pictures", number), audienceName(photo), photo.sensitive && t("sensitive"), moderationText(photo)].filter(Boolean);
    const label = details.length > 0 ? t("{photo} ({details})", { photo: describe(photo), details: listed(details, "unit") }) : describe(photo);
    setAttribute(element, "aria-label", label);
    const frame = squareFrame(photo, side, { refetch: photoFetcher(app, photo) });
    const withheld = photo.state === "hidden" && h("span.withheld", { title: moderationText(photo) }, icon("lock"));
    fill(element, frame, withheld, number ? h("span.several", {}, icon("layers")) : videoMark(photo), audienceMark(photo, { short: true }), counts);
  };
  draw();
  const stop = app.photos.watch(photo.id, (fields) => {
    applyFields(photo, fields);
    show();
    if ("edited_at" in fields) draw();
  });
  return { element, leave: stop };
}
