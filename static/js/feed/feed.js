/**
 * The home feed: photos from followed users, with new ones added live at the top.
 *
 * While the highlights are shown, in an order that does not change, new photos wait behind a button that leads back.
 */

import { photoCard } from "../photo/card.js";
import { emptyState, fill, h, icon, visuallyHidden } from "../elements/dom.js";
import { feedSources } from "../photo/feed_sources.js";
import { feedSide, hasSide } from "./feed_side.js";
import { firstFeed } from "./first_feed.js";
import { OrderButtons, highlights } from "./highlights.js";
import { t, tn } from "../elements/texts.js";
import { PhotoList } from "../photo/photo_list.js";
import { fetchSaved } from "../photo/saving.js";
import { scrollToTop } from "../elements/scrolling.js";
import { timeElement } from "../elements/time.js";
import { VisiblePhotos } from "../photo/visible_photos.js";

/** In CSS pixels. A user who has scrolled further down is not moved: a button offers the new photos. */
const TOP_DISTANCE = 120;
/** Photos of a page of the feed. */
export const FEED_PAGE = 10;

/** Create the page at "/". */
export function homePage(app) {
  const feed = new Feed(app);
  return { title: "", element: feed.element, keep: true, leave: () => feed.leave(), refresh: () => feed.refresh() };
}

class Feed {
  #app;
  #list;
  #visiblePhotos;
  #below;
  #side;
  #noteDrawn;
  /** Resolved when the first photos are drawn, or none could be loaded. */
  #drawn = new Promise((resolve) => (this.#noteDrawn = resolve));
  #newest;
  #shown;
  #orders = new OrderButtons((order) => this.#show(order));
  /** The highlights while they are shown, else null. */
  #highlights = null;
  #sources;
  #fetched = false;
  #pending = new Map();
  /** There are more new photos than the pending ones, so the feed has to be loaded again to show them. */
  #gap = false;
  #lastVisit = h("p.feed-note.last-visit.small", { role: "status", hidden: true });
  #newPhotosButton = h("button.button.pill", { type: "button", hidden: true, onclick: () => this.#showPending() });
  #stops;

  constructor(app) {
    this.#app = app;
    this.#visiblePhotos = new VisiblePhotos(app);
    this.#list = new PhotoList(app, {
      className: "feed",
      keepsPlace: true,
      newer: (photos, gap) => this.#found(photos, gap),
      load: (cursor) => this.#load(cursor).finally(this.#noteDrawn),
      draw: (photo, index) => this.#draw(photo, index),
      empty: () => {
        this.#orders.element.hidden = true;
        return emptyFeed();
      },
    });
    this.#below = firstFeed(app, { users: !hasSide() });
    // It has its place when the photos above it are known.
    if (this.#below) this.#below.element.hidden = true;
    // Below a feed with photos, more of them are too far away to be the same twice.
    this.#side = feedSide(app, this.#drawn, () => ({ users: !this.#below?.hasUsers, photos: !this.#below || this.#list.size > 0 }));
    this.#newest = h("div", {}, this.#list.element, this.#below?.element);
    this.#shown = h("div", {}, this.#newest);
    this.#sources = feedSources(app, "/");
    const heading = h("h1.visually-hidden", {}, t("Home"));
    const feed = h("div", {}, heading, this.#sources.element, this.#orders.element, this.#lastVisit, this.#newPhotosButton, this.#shown);
    this.element = h("div.home", {}, feed, this.#side.element);
    this.#stops = [
      app.live.on("feed", ({ data }) => this.#received(data)),
      app.live.onGap("feed", () => this.#fetchMissed()),
      app.uploads.onReady((photo) => this.#arrived(photo)),
      app.accounts.watch((userId) => this.#accountHidden(userId)),
    ];
    app.router.addEventListener("clicked-again", this.#linkClickedAgain);
    app.addEventListener("connected", this.#connected);
    addEventListener("scroll", this.#scrolled, { passive: true });
  }

  leave() {
    for (const stop of this.#stops) stop();
    this.#app.router.removeEventListener("clicked-again", this.#linkClickedAgain);
    this.#app.removeEventListener("connected", this.#connected);
    removeEventListener("scroll", this.#scrolled);
    this.#list.leave();
    this.#highlights?.leave();
    this.#below?.leave();
    this.#side.leave();
    this.#sources.leave();
    this.#visiblePhotos.leave();
  }

  /** Load the newest photos, or new highlights. */
  async refresh() {
    if (this.#highlights) this.#show("highlights");
    else await this.#reload();
  }

  #show(order) {
    this.#highlights?.leave();
    const draw = (photo, index) => this.#draw(photo, index);
    this.#highlights = order === "highlights" ? highlights(this.#app, { draw, showNewest: () => this.#show("newest") }) : null;
    this.#orders.show(order);
    this.#shown.replaceChildren(this.#highlights?.element ?? this.#newest);
    scrollTo({ top: 0, behavior: "instant" });
    if (this.#atTop()) this.#insert();
  }

  async #load(cursor) {
    const { session, lastFeed } = this.#app;
    const load = async () => (cursor === null ? lastFeed.load(session.id) : null);
    if (session.isRestored) {
      const last = await load();
      if (last) return this.#showLastVisit(last);
    }
    let page;
    try {
      page = await this.#app.api.get("/feed", { cursor, limit: FEED_PAGE });
    } catch (error) {
      const last = error.isOutage ? await load() : null;
      if (!last) throw error;
      return this.#showLastVisit(last);
    }
    this.#lastVisit.hidden = true;
    // Only the first page: a page that is fetched because of a gap is newer than the connection.
    if (!this.#fetched) this.#app.live.fetched("feed", page.stream);
    this.#fetched = true;
    if (this.#below) this.#below.element.hidden = false;
    fetchSaved(this.#app, page.items);
    if (cursor === null) this.#app.lastFeed.keepSoon(page.items);
    return page;
  }

  #showLastVisit({ photos, savedAt }) {
    const moment = timeElement(new Date(savedAt).toISOString(), { inSentence: true });
    fill(this.#lastVisit, t("There is no connection. These photos were loaded {moment}.", { moment }));
    this.#lastVisit.hidden = false;
    return { items: photos, next: null };
  }

  /** Replace what was shown without a connection. */
  #connected = async () => {
    if (this.#lastVisit.hidden) return;
    try {
      await this.#list.reload();
    } catch {
      // The photos of the last visit stay until the next connection.
    }
  };

  #draw(photo, index) {
    this.#orders.element.hidden = false;
    const card = photoCard(this.#app, photo, { first: index === 0 });
    return this.#visiblePhotos.whileShown(card, photo.id);
  }

  #received(data) {
    if (data.type === "photo.new") this.#arrived(data.photo);
    if (data.type === "photo.removed") {
      this.#pending.delete(data.photo_id);
      this.#updateButton();
    }
  }

  #accountHidden(userId) {
    for (const [id, { author }] of [...this.#pending]) if (author.id === userId) this.#pending.delete(id);
    this.#updateButton();
  }

  #arrived(photo) {
    if (this.#list.has(photo.id) || this.#pending.has(photo.id)) return;
    this.#pending.set(photo.id, photo);
    if (this.#atTop()) this.#insert();
    else this.#updateButton();
  }

  /** Fetch the photos that were missed in a gap of the stream. */
  async #fetchMissed() {
    try {
      if (this.#atTop()) {
        await this.#list.reload();
        return;
      }
      const { items, next } = await this.#app.api.get("/feed", { limit: 20 });
      fetchSaved(this.#app, items);
      const isKnown = ({ id }) => this.#list.has(id) || this.#pending.has(id);
      this.#found(items, next !== null && !items.some(isKnown));
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  /** Offer new photos, with `gap` if more were missed than these. */
  #found(photos, gap) {
    this.#gap ||= gap;
    for (const photo of [...photos].reverse()) this.#arrived(photo);
  }

  #atTop() {
    return this.element.isConnected && !this.#highlights && scrollY < TOP_DISTANCE;
  }

  #insert() {
    if (this.#gap) {
      this.#reload().catch((error) => this.#app.toasts.error(error));
      return;
    }
    for (const photo of this.#pending.values()) this.#list.insert(photo);
    if (this.#pending.size > 0) this.#app.lastFeed.keepSoon(this.#list.photos);
    this.#pending.clear();
    this.#updateButton();
  }

  #showPending() {
    if (this.#highlights) this.#show("newest");
    this.#insert();
    scrollToTop();
  }

  /** Show the newest photos, without those that were loaded further down. */
  async #reload() {
    this.#gap = false;
    this.#pending.clear();
    this.#updateButton();
    scrollTo({ top: 0, behavior: "instant" });
    await this.#list.reload();
  }

  #updateButton() {
    const number = this.#pending.size;
    this.#newPhotosButton.hidden = number === 0;
    const hint = (text) => visuallyHidden(text);
    const text = this.#gap ? t("New photos<hint>, show</hint>", { hint }) : tn("{count} new photo<hint>, show</hint>", "{count} new photos<hint>, show</hint>", number, { hint });
    fill(this.#newPhotosButton, icon("up"), text);
  }

  #linkClickedAgain = () => {
    if (this.element.isConnected && !this.#highlights) this.#insert();
  };

  #scrolled = () => {
    if (this.#pending.size > 0 && this.#atTop()) this.#insert();
  };
}

function emptyFeed() {
  return emptyState(
    "image",
    t("Your feed is empty"),
    t("Photos from people you follow appear here as soon as they share them."),
    h("a.button", { href: "/discover" }, t("Find people to follow")),
    h("a.button.plain", { href: "/new" }, t("Share your first photo")),
  );
}
