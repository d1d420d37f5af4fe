/** The follow button: follow, request to follow, unfollow. It changes at once, before the server has answered. */

import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";

/**
 * Return a button for a user with a `relation`. `changed(relation)` is called whenever the relation changes, `confirmed()`
 * when the server has accepted a change.
 */
export function followButton(app, user, changed = () => {}, confirmed = () => {}) {
  const button = h("button.button", { type: "button" });
  const relation = { ...user.relation };
  const subject = `follow:${user.id}`;
  const pending = app.pending.wanted(subject);
  if (pending !== undefined) Object.assign(relation, followed(user, pending));
  let busy = false;

  const show = () => {
    const on = relation.following || relation.requested;
    button.classList.toggle("plain", on);
    const label = relation.following ? t("Following") : relation.requested ? t("Requested") : relation.followed_by ? t("Follow back") : t("Follow");
    fill(button, label);
    button.setAttribute("aria-pressed", String(on));
  };
  button.addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    const before = { ...relation };
    const follow = !(relation.following || relation.requested);
    Object.assign(relation, followed(user, follow));
    show();
    changed(relation);
    try {
      const name = `@${user.username}`;
      const text = String(follow ? t("Follow {name}", { name }) : t("Unfollow {name}", { name }));
      const done = await app.pending.switch({ subject, path: `/users/${user.id}/follow`, on: follow, text });
      if (done !== undefined) confirmed();
    } catch (error) {
      Object.assign(relation, before);
      show();
      changed(relation);
      app.toasts.error(error);
    } finally {
      busy = false;
    }
  });
  show();
  return button;
}

/** Return the fields of a relation after a follow, which a private account accepts first, or an unfollow. */
function followed(user, follow) {
  return { following: follow && !user.private, requested: follow && user.private === true };
}
