/** The list of notifications, newest first, growing at its top while it is open. */

import { blank, fill, h } from "./dom.js";
import { avatar, profilePath } from "./person.js";
import { photoPath, squareFrame } from "./photo_image.js";
import { FollowRequests } from "./requests.js";
import { when } from "./time.js";

/** Make the page at "/notifications". */
export function notificationsPage(app) {
  const page = new NotificationsPage(app);
  return { title: "Notifications", element: page.element, leave: () => page.leave() };
}

class NotificationsPage {
  #app;
  #rows = new Map();
  #thumbs = new Map();
  #cursor = null;
  #fetched = false;
  #requests;
  #list = h("ul.notices.panel");
  #tail = h("div", {}, h("div.spinner", { role: "status", "aria-label": "Loading" }));

  constructor(app) {
    this.#app = app;
    this.#requests = new FollowRequests(app);
    const head = h("div.page-head", {}, h("h1", {}, "Notifications"));
    this.element = h("div", {}, head, this.#requests.element, this.#list, this.#tail);
    this.#list.hidden = true;
    app.notices.addEventListener("notification", this.#heard);
    app.notices.addEventListener("count", this.#counted);
    app.notices.addEventListener("removed", this.#removed);
    app.notices.addEventListener("refresh", this.#reload);
    app.toasts.clear("/notifications");
    this.#load();
  }

  leave() {
    this.#app.notices.removeEventListener("notification", this.#heard);
    this.#app.notices.removeEventListener("count", this.#counted);
    this.#app.notices.removeEventListener("removed", this.#removed);
    this.#app.notices.removeEventListener("refresh", this.#reload);
  }

  async #load(cursor = null) {
    try {
      if (!cursor) await this.#requests.load();
      const { items, next, stream } = await this.#app.api.get("/notifications", { cursor, limit: 30 });
      if (!this.#fetched) this.#app.live.fetched("notifications", stream);
      this.#fetched = true;
      this.#cursor = next;
      for (const notice of items) this.#put(notice, false);
      this.#settle();
      await this.#app.notices.markSeen();
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: () => this.#load(cursor) }, "Try again");
      fill(this.#tail, blank("cloud", "The notifications did not arrive", error.message, again));
    }
  }

  #reload = () => this.#load();

  #heard = (event) => {
    if (document.visibilityState === "hidden") return;
    event.preventDefault();
    this.#put(event.detail, true);
    this.#settle();
    if (event.detail.kind === "follow_request") this.#requests.load().catch((error) => this.#app.toasts.error(error));
  };

  /** What arrives while the list is open is seen; counters may come later than the list was marked. */
  #counted = ({ detail: unseen }) => {
    if (unseen > 0 && document.visibilityState === "visible") this.#app.notices.markSeen();
  };

  #removed = ({ detail: id }) => {
    this.#rows.get(id)?.remove();
    this.#rows.delete(id);
    this.#settle();
  };

  /** Show a notification; one that grew by a further person replaces its older self. */
  #put(notice, first) {
    const row = this.#row(notice);
    this.#rows.get(notice.id)?.remove();
    this.#rows.set(notice.id, row);
    if (first) {
      row.classList.add("arriving");
      this.#list.prepend(row);
    } else this.#list.append(row);
  }

  #settle() {
    this.#list.hidden = this.#rows.size === 0;
    const more = h("button.button.plain", { type: "button", onclick: () => this.#load(this.#cursor) }, "Show older ones");
    if (this.#rows.size > 0) fill(this.#tail, this.#cursor && h("div.blank", {}, more));
    else fill(this.#tail, blank("bell", "All quiet", "When somebody likes or comments on a photo of yours, or follows you, it appears here at once."));
  }

  #row(notice) {
    return h(
      "li",
      { class: notice.seen ? null : "fresh", data: { notification: notice.id } },
      h(
        "a.notice",
        { href: this.#target(notice), onclick: () => this.#opened(notice) },
        h("span.avatars", {}, notice.actors.slice(0, 2).map((person) => avatar(person))),
        h("span.what", {}, h("p", {}, notice.text), h("span.quiet.small", {}, when(notice.updated_at ?? notice.created_at))),
        notice.photo_id && this.#thumb(notice.photo_id),
      ),
    );
  }

  #target(notice) {
    if (notice.photo_id) return photoPath(notice.photo_id);
    return notice.actors[0] ? profilePath(notice.actors[0]) : "/notifications";
  }

  async #opened(notice) {
    if (notice.read) return;
    try {
      await this.#app.api.post("/notifications/read", { ids: [notice.id] });
    } catch {
      // It is offered as unread once more; nothing is lost.
    }
  }

  #thumb(id) {
    const place = h("span.thumb");
    if (!this.#thumbs.has(id)) this.#thumbs.set(id, this.#app.api.get(`/photos/${id}`).catch(() => null));
    this.#thumbs.get(id).then((photo) => photo && fill(place, squareFrame(photo, 48)));
    return place;
  }
}
