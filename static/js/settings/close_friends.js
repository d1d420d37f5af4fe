/** The page on which a user chooses close friends. */

import { ChosenUsers } from "../users/chosen_users.js";
import { emptyState, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";

const PAGE_SIZE = 50;

/** Create the page at "/settings/close-friends". */
export function closeFriendsPage(app) {
  const friends = new ChosenUsers(app, {
    load: (cursor) => app.api.get("/users/me/close-friends", { cursor, limit: PAGE_SIZE }),
    change: ({ id }, add) => app.api[add ? "put" : "delete"](`/users/${id}/close-friend`),
    empty: () => emptyState("star", t("No close friends yet"), t("Find the people with whom you want to share more.")),
  });
  friends.more();
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Close friends"))),
    h("p.secondary.page-text", {}, t("They see the photos that you share with close friends. They are not notified when you add or remove them.")),
    friends.element,
  );
  return { title: t("Close friends"), element, leave: () => friends.leave() };
}
