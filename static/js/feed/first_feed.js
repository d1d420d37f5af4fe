/** What a user who follows few people finds below their feed: people to follow, and photos they might like. */

import { photoCell } from "../photo/card.js";
import { h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { PhotoList } from "../photo/photo_list.js";
import { suggestedUsers } from "../users/suggested_users.js";

/** From so many follows on, a feed fills itself. */
const ENOUGH_FOLLOWS = 10;
const USERS = 5;
const PHOTOS = 9;

/** Return `{element, hasUsers, leave}`, with `users` or only with photos; null for a user who follows enough people. */
export function firstFeed(app, { users: hasUsers }) {
  if (app.session.user.following >= ENOUGH_FOLLOWS) return null;
  const users = hasUsers ? suggestedUsers(app, USERS) : null;
  const photos = new PhotoList(app, {
    className: "grid",
    load: async () => ({ items: await popular(app), next: null }),
    draw: (photo) => photoCell(app, photo),
    empty: () => {
      heading.hidden = true;
      return null;
    },
  });
  const heading = h("h2.section-head", {}, t("Photos you might like"), h("a", { href: "/discover" }, t("Discover")));
  const element = h("div.first-feed", {}, users?.element, heading, photos.element);
  const leave = () => {
    users?.leave();
    photos.leave();
  };
  return { element, hasUsers, leave };
}

/** Return what trends, completed by the newest photos while that is little. */
async function popular(app) {
  const trending = (await app.api.get("/photos/trending", { limit: PHOTOS })).items;
  if (trending.length === PHOTOS) return trending;
  const newest = (await app.api.get("/photos", { limit: 3 * PHOTOS })).items;
  const others = newest.filter(({ id, author }) => author.id !== app.session.id && !trending.some((photo) => photo.id === id));
  return [...trending, ...others].slice(0, PHOTOS);
}
