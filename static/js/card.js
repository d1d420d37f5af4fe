/** A photo in a feed (a card) or in a grid (a cell), kept up to date while it is shown. */

import { append, fill, h, icon, visuallyHidden } from "./dom.js";
import { count, Like, likeButton, onDoubleTap, showHeart } from "./like.js";
import { describe, photoFrame, photoPath, squareFrame } from "./photo_image.js";
import { photoMenu } from "./photo_menu.js";
import { timeElement } from "./time.js";
import { avatar, displayName, nameLink, profilePath } from "./user.js";

/** Return `{element, leave}`: a photo with its author, actions and caption. */
export function photoCard(app, photo, { eager = false } = {}) {
  const like = new Like(app, photo);
  const { button, update } = likeButton(photo, like);
  const comments = h("a.action", { href: photoPath(photo.id) });
  const showComments = () =>
    fill(comments, icon("comment"), visuallyHidden("Comments, "), h("span", {}, count(photo.comments)));
  showComments();

  const frame = photoFrame(photo, { eager, refetch: photoFetcher(app, photo) });
  onDoubleTap(
    frame,
    () => {
      like.set(true);
      showHeart(frame);
    },
    () => app.router.go(photoPath(photo.id)),
  );
  const element = h(
    "article.card",
    { "aria-label": `Photo by ${displayName(photo.author)}`, data: { photo: photo.id } },
    cardHead(app, photo),
    frame,
    h("div.card-actions", {}, button, comments),
    h("div.card-text", {}, captionOf(photo)),
  );
  const stop = app.photos.watch(photo.id, (fields) => {
    Object.assign(photo, fields);
    update();
    showComments();
  });
  return { element, leave: stop };
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
      h("span.secondary.small", {}, h("a", { href: photoPath(photo.id) }, timeElement(photo.created_at)), photo.location && ` · ${photo.location}`),
    ),
    photoMenu(app, photo),
  );
}

/** Return the caption and tags of a photo as nodes; none when it has neither. */
export function captionOf(photo) {
  const nodes = [];
  if (photo.caption) nodes.push(h("p.caption", {}, photo.caption));
  if (photo.tags?.length > 0) {
    const links = photo.tags.map((tag) => h("a", { href: `/tag/${encodeURIComponent(tag)}` }, `#${tag}`));
    nodes.push(h("p.tags", {}, links));
  }
  return nodes;
}

/** Return `{element, leave}`: a photo cropped to a square, as a link to its page. */
export function photoCell(app, photo) {
  const counts = h("span.counts", { "aria-hidden": "true" });
  const show = () => {
    counts.replaceChildren();
    append(counts, [
      h("span", {}, icon("heart"), count(photo.likes)),
      h("span", {}, icon("comment"), count(photo.comments)),
    ]);
  };
  show();
  const element = h(
    "a.cell",
    { href: photoPath(photo.id), "aria-label": describe(photo), data: { photo: photo.id } },
    squareFrame(photo, Math.min(innerWidth, 960) / 3, { refetch: photoFetcher(app, photo) }),
    counts,
  );
  const stop = app.photos.watch(photo.id, (fields) => {
    Object.assign(photo, fields);
    show();
  });
  return { element, leave: stop };
}
