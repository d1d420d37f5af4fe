/** The bell on a profile: the viewer is notified of each new photo of an account that the viewer follows. */

import { h, icon } from "../elements/dom.js";

/** Return a button for a user, and a function that shows it as the user's `relation` has become. */
export function bellButton(app, user) {
  let on = Boolean(user.relation?.bell);
  const button = h("button.icon-button.bell-button", { type: "button" }, icon("bell"));

  const show = () => {
    const label = on ? "You are notified of new photos" : "Notify me of new photos";
    button.setAttribute("aria-label", label);
    button.setAttribute("aria-pressed", String(on));
    button.title = label;
  };
  /** Unfollowing ends the bell. */
  const follow = (relation) => {
    if (!relation.following) on = false;
    button.hidden = !relation.following;
    show();
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    on = !on;
    show();
    try {
      await (on ? app.api.post(`/users/${user.id}/bell`) : app.api.delete(`/users/${user.id}/bell`));
      app.toasts.show(on ? `You are notified of each new photo of @${user.username}` : `No more notifications of photos of @${user.username}`, { iconName: "bell" });
    } catch (error) {
      on = !on;
      show();
      app.toasts.error(error);
    } finally {
      button.disabled = false;
    }
  });
  follow(user.relation ?? {});
  return { button, follow };
}
