/** The column next to the feed: users to follow, and what trends. */

import { trends } from "../discover/trends.js";
import { h } from "../elements/dom.js";
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
  const leave = () => {
    suggestions?.leave();
    trending.leave();
  };
  return { element: h("div", {}, suggestions?.element, trending.element), leave };
}
