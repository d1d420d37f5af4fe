/** The newest public photos, photos with a tag, and the search for users. */

import { photoCell } from "./card.js";
import { emptyState, h, icon } from "./dom.js";
import { PhotoList } from "./photo_list.js";
import { userSearch } from "./user_list.js";

/** Create the page at "/discover". */
export function discoverPage(app) {
  const list = grid(app, {}, () =>
    emptyState("image", "No photos yet", "Be the first to share one.", h("a.button", { href: "/new" }, "Share a photo")),
  );
  const search = userSearch(app, {
    onActive: (active) => {
      list.element.hidden = active;
    },
  });
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, "Discover")),
    h("div.search", { role: "search" }, icon("search"), search.input),
    search.results,
    list.element,
  );
  const stop = app.uploads.onReady((photo) => app.session.user?.private || list.insert(photo));
  const leave = () => {
    stop();
    list.leave();
  };
  return { title: "Discover", element, wide: true, keep: true, leave };
}

/** Create the page at "/tag/:tag". */
export function tagPage(app, { tag }) {
  const list = grid(app, { tag }, () => emptyState("image", `No photos with #${tag}`, "Photos with this tag appear here."));
  const element = h("div", {}, h("div.page-head", {}, h("h1", {}, `#${tag}`)), list.element);
  return { title: `#${tag}`, element, wide: true, keep: true, leave: () => list.leave() };
}

function grid(app, query, empty) {
  return new PhotoList(app, {
    className: "grid",
    load: (cursor) => app.api.get("/photos", { ...query, cursor, limit: 30 }),
    draw: (photo) => photoCell(app, photo),
    empty,
  });
}
