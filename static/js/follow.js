/** The follow button: follow, request to follow, stop following; answers the tap at once. */

import { h } from "./dom.js";

/**
 * Return a button for a profile with `relation`; `changed(relation)` is called whenever it changes, `settled()` when
 * the server has agreed.
 */
export function followButton(app, person, changed = () => {}, settled = () => {}) {
  const button = h("button.button", { type: "button" });
  const relation = { ...person.relation };
  let busy = false;

  const show = () => {
    const on = relation.following || relation.requested;
    button.classList.toggle("plain", on);
    button.textContent = relation.following ? "Following" : relation.requested ? "Requested" : relation.followed_by ? "Follow back" : "Follow";
    button.setAttribute("aria-pressed", String(on));
  };
  button.addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    const before = { ...relation };
    const follow = !(relation.following || relation.requested);
    Object.assign(relation, { following: follow && !person.private, requested: follow && person.private === true });
    show();
    changed(relation);
    try {
      await (follow ? app.api.put(`/users/${person.id}/follow`) : app.api.delete(`/users/${person.id}/follow`));
      settled();
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
