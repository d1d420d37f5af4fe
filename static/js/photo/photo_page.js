/** The page of one photo with its comments, kept up to date while it is open. */

import { captionOf, cardHead, likeByDoubleTap, photoFetcher, showDescription } from "./card.js";
import { Comments } from "./comments.js";
import { emptyPage, fill, h, icon, loadingPage, visuallyHidden } from "../elements/dom.js";
import { unavailable } from "../elements/unavailable.js";
import { descriptionOf } from "./photo_description.js";
import { exifSection } from "./photo_exif.js";
import { Like, likeButton } from "./like.js";
import { morePhotos } from "./more_photos.js";
import { countersOf } from "./photo_image.js";
import { applyFields, PhotoPictures } from "./photo_pictures.js";
import { markViewable, viewButton, viewPhoto } from "./photo_viewer.js";
import { moderationNote } from "./sensitive.js";
import { dateElement } from "../elements/time.js";
import { saveButton } from "./saving.js";
import { t } from "../elements/texts.js";
import { displayName } from "../users/user.js";

/** Create the page at "/p/:id". */
export function photoPage(app, { id }) {
  const page = new PhotoPage(app, id);
  return { title: t("Photo"), element: page.element, wide: true, leave: () => page.leave() };
}

class PhotoPage {
  #app;
  #id;
  #stops = [];
  #left = false;
  #state = null;
  element = h("div", {}, loadingPage(t("Loading the photo")));

  constructor(app, id) {
    this.#app = app;
    this.#id = id;
    this.#load();
  }

  leave() {
    this.#left = true;
    for (const stop of this.#stops) stop();
  }

  async #load() {
    try {
      const photo = await this.#app.api.get(`/photos/${this.#id}`);
      if (!this.#left) this.#show(photo);
    } catch (error) {
      const kept = error.isOutage ? await this.#app.lastFeed.photo(this.#app.session.id, this.#id) : null;
      if (this.#left) return;
      if (kept) this.#show(kept);
      else if (error.status === 404 || error.status === 400) this.#showNotFound();
      else fill(this.element, unavailable(this.#app, { heading: t("Could not load the photo"), error, again: () => this.#load(), page: true }));
    }
  }

  #showNotFound() {
    const home = h("a.button", { href: "/" }, t("Go to your feed"));
    fill(this.element, emptyPage("image", t("Photo not available"), t("It was deleted, or you do not have access to it."), home));
    this.#app.router.setTitle(t("Photo not available"));
  }

  /** Show an author that the own photo is hidden, and others that there is none. */
  #removed(photo) {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    if (photo.author.id === this.#app.session.id) this.#load();
    else this.#showNotFound();
  }

  #show(photo) {
    const app = this.#app;
    this.#state = photo.state;
    app.pending.apply(photo);
    const like = new Like(app, photo);
    const likes = likeButton(photo, like);
    const save = app.session.id && saveButton(app, photo);
    const pictures = new PhotoPictures(photo, {
      first: true,
      refetch: photoFetcher(app, photo),
      prepare: (shown) => likeByDoubleTap(shown, like, () => viewPhoto(app, article)),
    });
    const comments = new Comments(app, photo);
    const back = h("button.icon-button", { type: "button", "aria-label": t("Back"), onclick: () => app.router.back() }, icon("back"));
    const head = cardHead(app, photo);
    const text = h("div.card-text", {}, moderationNote(photo), captionOf(photo));
    const taken = h("p.taken.secondary.small");
    showTaken(taken, photo);
    const more = morePhotos(app, photo);
    this.#stops.push(more.leave, () => comments.leave());
    const article = h(
      "article.photo-page",
      { data: { photo: photo.id } },
      h("div.photo-area.view-area", {}, pictures.element, viewButton(app, () => article)),
      h(
        "div.photo-details",
        {},
        head,
        text,
        taken,
        photo.author.id === app.session.id && exifSection(app, photo),
        comments.scroll,
        h("div.card-actions", {}, likes.button, save && visuallyHidden(t("Double tap the photo to like it")), save && save.button),
        comments.form,
      ),
    );
    markViewable(article, photo);
    fill(
      this.element,
      h("div.page-head.slim", {}, back, h("h1.visually-hidden", {}, t("Photo by {name}", { name: displayName(photo.author) }))),
      article,
      more.element,
    );
    app.router.setTitle(t("Photo by {name}", { name: displayName(photo.author) }));
    const update = () => {
      likes.update();
      save?.update();
    };
    this.#subscribe(photo, comments, update, { head, text, pictures, taken });
  }

  #subscribe(photo, comments, update, parts) {
    const { photos, accounts, live } = this.#app;
    this.#stops.push(
      photos.watch(photo.id, (fields, removed) => {
        applyFields(photo, fields);
        update();
        if ("edited_at" in fields) {
          showDescription(photo, parts);
          showTaken(parts.taken, photo);
        }
        if (removed) this.#removed(photo);
      }),
      live.subscribe(`photo:${photo.id}`, {
        publication: (data) => {
          photos.patch(photo.id, { ...countersOf(data), ...descriptionOf(data) });
          comments.received(data);
          if (data.type === "photo.removed") photos.remove(photo.id);
          accounts.received(data);
        },
        resumed: () => this.#fetchMissed(photo, comments),
      }),
      accounts.watch((userId) => (userId === photo.author.id ? this.#removed(photo) : comments.removeBy(userId))),
    );
  }

  /** Fetch what was missed without a connection: a photo's channel keeps no history. */
  async #fetchMissed(shown, comments) {
    const before = { liked: shown.liked, saved: shown.saved };
    try {
      const photo = await this.#app.api.get(`/photos/${this.#id}`);
      if (photo.state !== this.#state) return this.#removed(photo); // moderation has decided about an own photo
      const { likes, comments: number, liked, saved } = photo;
      const fields = { comments: number, ...descriptionOf(photo) };
      // What the user has changed meanwhile is newer than the response.
      if (shown.liked === before.liked) Object.assign(fields, { likes, liked });
      if (shown.saved === before.saved) fields.saved = saved;
      this.#app.photos.patch(this.#id, fields);
      await comments.load();
    } catch (error) {
      if (error.status === 404) this.#app.photos.remove(this.#id);
    }
  }
}

function showTaken(element, { taken_at: moment }) {
  element.hidden = !moment;
  fill(element, moment ? t("Taken {date}", { date: dateElement(moment) }) : []);
}
