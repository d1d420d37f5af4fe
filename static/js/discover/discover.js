/** What trends, the newest public photos, photos with a tag, and the search. */

import { photoCell } from "../photo/card.js";
import { emptyState, h } from "../elements/dom.js";
import { followTagButton } from "./followed_tags.js";
import { PhotoList } from "../photo/photo_list.js";
import { Search } from "./search.js";
import { t } from "../elements/texts.js";
import { suggestedUsers } from "../users/suggested_users.js";
import { trends } from "./trends.js";

/** Create the page at "/discover". */
export function discoverPage(app) {
  const list = grid(app, {}, () =>
    emptyState("image", t("No photos yet"), t("Be the first to share one."), h("a.button", { href: "/new" }, t("Share a photo"))),
  );
  const trending = trends(app);
  const users = suggestedUsers(app, 3);
  const photos = h("div", {}, trending.element, users.element, h("h2.section-head", {}, t("New photos")), list.element);
  const search = new Search(app, {
    onActive: (active) => {
      photos.hidden = active;
    },
  });
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Discover")), h("a.text-button", { href: "/discover/tags" }, t("Tags you follow"))),
    search.element,
    photos,
  );
  const stop = app.uploads.onReady((photo) => app.session.user?.private || photo.audience !== "public" || list.insert(photo));
  const leave = () => {
    stop();
    users.leave();
    search.leave();
    trending.leave();
    list.leave();
  };
  return { title: t("Discover"), element, wide: true, keep: true, leave, refresh: () => list.reload() };
}

/** Create the page at "/tag/:tag". */
export function tagPage(app, { tag }) {
  const list = grid(app, { tag }, () => emptyState("image", t("No photos with {tag}", { tag: `#${tag}` }), t("Photos with this tag appear here.")));
  const element = h("div", {}, h("div.page-head", {}, h("h1", {}, `#${tag}`), followTagButton(app, tag)), list.element);
  return { title: `#${tag}`, element, wide: true, keep: true, leave: () => list.leave(), refresh: () => list.reload() };
}

function grid(app, query, empty) {
  return new PhotoList(app, {
    className: "grid",
    keepsPlace: true,
    load: (cursor) => app.api.get("/photos", { ...query, cursor, limit: 30 }),
    draw: (photo) => photoCell(app, photo),
    empty,
  });
}
