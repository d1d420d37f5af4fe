/** The column next to the feed: users to follow, and what trends; the newest photos where no photos trend, as on a small site. */

import { photoSection, trends } from "../discover/trends.js";
import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { suggestedUsers } from "../users/suggested_users.js";

const USERS = 4;
const TAGS = 8;
const PHOTOS = 9;
/** In CSS pixels: a third of the column. */
const CELL = 110;

/** Return `{element, leave}`, without suggestions or photos where the feed itself shows some: `{users, photos}`. */
export function sideColumn(app, { users, photos }) {
  const suggestions = users ? suggestedUsers(app, USERS) : null;
  // In their order, so that nothing moves when it appears.
  const trending = trends(app, { tags: TAGS, photos: photos ? PHOTOS : 0, cell: CELL, after: suggestions?.settled });
  const newest = photos ? newestPhotos(app, trending.shown) : null;
  const leave = () => {
    suggestions?.leave();
    trending.leave();
    newest?.leave();
  };
  return { element: h("div", {}, suggestions?.element, trending.element, newest?.element), leave };
}

/** Return `{element, leave}`: the newest photos of other users, and the way to more, unless photos trend. */
function newestPhotos(app, trend) {
  const element = h("div");
  let section = null;
  let left = false;
  const load = async () => {
    if (await trend) return;
    try {
      const { items } = await app.api.get("/photos", { limit: 2 * PHOTOS });
      if (left) return;
      const others = items.filter(({ author }) => author.id !== app.session.id).slice(0, PHOTOS);
      const all = { href: "/discover", text: t("Discover more") };
      section = photoSection(app, others, { id: "newest-photos", heading: t("Newest photos"), all, cell: CELL });
      fill(element, section?.element);
    } catch {
      // The column goes without them; what is above says why there is nothing.
    }
  };
  load();
  const leave = () => {
    left = true;
    section?.leave();
  };
  return { element, leave };
}
