/** Accounts that the user might want to follow, each with the reason, and a button that dismisses it. */

import { fill, h, icon } from "../elements/dom.js";
import { followButton } from "./follow.js";
import { t, tn } from "../elements/texts.js";
import { unavailable } from "../elements/unavailable.js";
import { displayName, userRow } from "./user.js";

/** The server makes suggestions in the background when they are first requested, usually within a second. */
const RETRY_MS = [700, 1000, 1500, 2000, 3000];

/**
 * Return `{element, settled, leave}`: up to `limit` suggested users; hidden while there are none.
 *
 * The promise `settled` is fulfilled when they are there, or none will be.
 */
export function suggestedUsers(app, limit) {
  const list = h("ul.user-list.panel");
  const status = h("div");
  const element = h("section", { hidden: true, "aria-labelledby": "suggested-users" });
  fill(element, h("h2.section-head", { id: "suggested-users" }, t("People to follow")), list, status);
  let timer = null;
  let left = false;
  const { promise: settled, resolve: settle } = Promise.withResolvers();

  const show = (items) => {
    fill(list, items.map((user) => row(app, user, () => (element.hidden = list.childElementCount === 0))));
    list.hidden = items.length === 0;
    element.hidden = items.length === 0;
    fill(status);
  };
  const load = async (attempt = 0) => {
    try {
      const { items, made_at: madeAt } = await app.api.get("/suggestions/users", { limit });
      if (left) return;
      show(items);
      if (madeAt === null && attempt < RETRY_MS.length) timer = setTimeout(() => load(attempt + 1), RETRY_MS[attempt]);
      else settle();
    } catch (error) {
      if (left) return;
      element.hidden = false;
      list.hidden = true;
      fill(status, unavailable(app, { heading: t("Could not load suggestions"), error, again: () => load() }));
      settle();
    }
  };
  load();
  const leave = () => {
    left = true;
    clearTimeout(timer);
  };
  return { element, settled, leave };
}

function row(app, user, changed) {
  const relation = { following: false, requested: false, followed_by: user.reason === "follows_you" };
  const dismiss = h(
    "button.icon-button",
    { type: "button", "aria-label": t("Do not suggest {name}", { name: displayName(user) }), title: t("Do not suggest") },
    icon("close"),
  );
  const element = h("li", {}, userRow(user, followButton(app, { ...user, relation }), dismiss));
  const line = element.querySelector(".handle");
  line.title = line.textContent;
  fill(line, reasonOf(user));
  dismiss.addEventListener("click", async () => {
    dismiss.disabled = true;
    try {
      await app.api.delete(`/suggestions/users/${user.id}`);
      element.remove();
      changed();
    } catch (error) {
      dismiss.disabled = false;
      app.toasts.error(error);
    }
  });
  return element;
}

function reasonOf({ reason, friends }) {
  if (reason === "follows_you") return t("Follows you");
  if (reason === "friends") return tn("Followed by someone you follow", "Followed by {count} people you follow", friends);
  if (reason === "tags") return t("Shares photos with tags you like");
  return reason === "pick" ? t("Recommended here") : t("Popular here");
}
