/** A photo's own page: the photo, its comments, and both kept up to date while it is open. */

import { captionOf, cardHead, renewal } from "./card.js";
import { Comments } from "./comments.js";
import { blank, fill, h, icon, unseen } from "./dom.js";
import { burst, Like, likeButton, onDoubleTap } from "./like.js";
import { nameOf } from "./person.js";
import { countersOf, photoFrame } from "./photo_image.js";

/** Make the page at "/p/:id". */
export function photoPage(app, { id }) {
  const page = new PhotoPage(app, id);
  return { title: "Photo", element: page.element, wide: true, leave: () => page.leave() };
}

class PhotoPage {
  #app;
  #id;
  #stops = [];
  #left = false;
  element = h("div", {}, h("div.spinner", { role: "status", "aria-label": "Loading the photo" }));

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
      if (this.#left) return;
      if (error.status === 404 || error.status === 400) this.#gone();
      else fill(this.element, blank("cloud", "The photo did not arrive", error.message, this.#again()));
    }
  }

  #again() {
    return h("button.button.plain", { type: "button", onclick: () => this.#load() }, "Try again");
  }

  #gone() {
    fill(this.element, blank("image", "This photo is not here", "It was deleted, or is not shared with you.", h("a.button", { href: "/" }, "To the feed")));
  }

  #show(photo) {
    const app = this.#app;
    const like = new Like(app, photo);
    const { button, update } = likeButton(photo, like);
    const frame = photoFrame(photo, { eager: true, renew: renewal(app, photo) });
    onDoubleTap(frame, () => {
      like.set(true);
      burst(frame);
    });
    const comments = new Comments(app, photo);
    const back = h("button.icon-button", { type: "button", "aria-label": "Back", onclick: () => app.router.back() }, icon("back"));
    fill(
      this.element,
      h("div.page-head.slim", {}, back, h("h1.unseen", {}, `Photo by ${nameOf(photo.author)}`)),
      h(
        "article.photo-page",
        { data: { photo: photo.id } },
        h("div.stage", {}, frame),
        h(
          "div.talk",
          {},
          cardHead(app, photo),
          h("div.card-text", {}, captionOf(photo)),
          comments.scroll,
          h("div.card-actions", {}, button, app.session.id && unseen("Double tap the photo to like it")),
          comments.form,
        ),
      ),
    );
    app.router.setTitle(`Photo by ${nameOf(photo.author)}`);
    this.#follow(photo, comments, update);
  }

  #follow(photo, comments, update) {
    const { photos, live } = this.#app;
    this.#stops.push(
      photos.watch(photo.id, (fields, removed) => {
        Object.assign(photo, fields);
        update();
        if (removed) this.#gone();
      }),
      live.subscribe(`photo:${photo.id}`, {
        publication: (data) => {
          photos.patch(photo.id, countersOf(data));
          if (data.comment) comments.add(data.comment);
          if (data.comment_id) comments.remove(data.comment_id);
          if (data.type === "photo.removed") photos.remove(photo.id);
        },
        resumed: () => this.#catchUp(comments),
      }),
    );
  }

  /** Fetch what happened while there was no connection: a photo's channel has no memory. */
  async #catchUp(comments) {
    try {
      const { likes, comments: number, liked } = await this.#app.api.get(`/photos/${this.#id}`);
      this.#app.photos.patch(this.#id, { likes, comments: number, liked });
      await comments.load();
    } catch (error) {
      if (error.status === 404) this.#app.photos.remove(this.#id);
    }
  }
}
