/** The home feed: photos of the people one follows, new ones arriving live at its top. */

import { photoCard } from "./card.js";
import { blank, h, icon, unseen } from "./dom.js";
import { InSight } from "./in_sight.js";
import { PhotoList } from "./photo_list.js";

/** A reader who has scrolled down further than this (CSS pixels) is not moved; a pill tells of what is new. */
const AT_TOP = 120;

/** Make the page at "/". */
export function homePage(app) {
  const feed = new Feed(app);
  return { title: "", element: feed.element, keep: true, leave: () => feed.leave() };
}

class Feed {
  #app;
  #list;
  #inSight;
  #fetched = false;
  #waiting = new Map();
  #pill = h("button.button.pill", { type: "button", hidden: true, onclick: () => this.#reveal() });
  #stops;

  constructor(app) {
    this.#app = app;
    this.#inSight = new InSight(app);
    this.#list = new PhotoList(app, {
      className: "feed",
      load: (cursor) => this.#load(cursor),
      draw: (photo, index) => this.#draw(photo, index),
      empty: () => nothingYet(),
    });
    this.element = h("div.home", {}, h("h1.unseen", {}, "Home"), this.#pill, this.#list.element);
    this.#stops = [
      app.live.on("feed", ({ data }) => this.#heard(data)),
      app.live.onGap("feed", () => this.#catchUp()),
      app.uploads.onReady((photo) => this.#arrived(photo)),
    ];
    app.router.addEventListener("again", this.#again);
    addEventListener("scroll", this.#scrolled, { passive: true });
  }

  leave() {
    for (const stop of this.#stops) stop();
    this.#app.router.removeEventListener("again", this.#again);
    removeEventListener("scroll", this.#scrolled);
    this.#list.leave();
    this.#inSight.leave();
  }

  async #load(cursor) {
    const page = await this.#app.api.get("/feed", { cursor, limit: 10 });
    // Once: what is fetched because of a gap is newer than that.
    if (!this.#fetched) this.#app.live.fetched("feed", page.stream);
    this.#fetched = true;
    return page;
  }

  #draw(photo, index) {
    const card = photoCard(this.#app, photo, { eager: index < 2 });
    this.#inSight.add(card.element, photo.id);
    const leave = () => {
      this.#inSight.remove(card.element);
      card.leave();
    };
    return { element: card.element, leave };
  }

  #heard(data) {
    if (data.type === "photo.new") this.#arrived(data.photo);
    if (data.type === "photo.removed") {
      this.#waiting.delete(data.photo_id);
      this.#showPill();
    }
  }

  #arrived(photo) {
    if (this.#list.has(photo.id) || this.#waiting.has(photo.id)) return;
    this.#waiting.set(photo.id, photo);
    if (this.#atTop()) this.#insert();
    else this.#showPill();
  }

  /** Fetch what a gap in the live stream has hidden. */
  async #catchUp() {
    try {
      if (this.#atTop()) {
        await this.#list.reload();
        return;
      }
      const { items } = await this.#app.api.get("/feed", { limit: 20 });
      for (const photo of items.reverse()) this.#arrived(photo);
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  #atTop() {
    return this.element.isConnected && scrollY < AT_TOP;
  }

  #insert() {
    for (const photo of this.#waiting.values()) this.#list.insert(photo);
    this.#waiting.clear();
    this.#showPill();
  }

  #reveal() {
    this.#insert();
    scrollTo({ top: 0, behavior: "smooth" });
  }

  #showPill() {
    const number = this.#waiting.size;
    this.#pill.hidden = number === 0;
    const text = number === 1 ? "1 new photo" : `${number} new photos`;
    this.#pill.replaceChildren(icon("up"), text, unseen(", show"));
  }

  #again = () => {
    if (this.element.isConnected) this.#insert();
  };

  #scrolled = () => {
    if (this.#waiting.size > 0 && this.#atTop()) this.#insert();
  };
}

function nothingYet() {
  return blank(
    "image",
    "Your feed is waiting",
    "Photos of the people you follow appear here the moment they share them.",
    h("a.button", { href: "/discover" }, "Find people to follow"),
    h("a.button.plain", { href: "/new" }, "Share your first photo"),
  );
}
