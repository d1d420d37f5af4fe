/** The bell on a profile: the viewer is notified of each new photo of an account that the viewer follows. */

import { h, icon } from "../elements/dom.js";
import { setAttribute } from "../elements/shown_texts.js";
import { t } from "../elements/texts.js";

/** Return a button for a user, and a function that shows it as the user's `relation` has become. */
export function bellButton(app, user) {
  let on = Boolean(user.relation?.bell);
  const button = h("button.icon-button.bell-button", { type: "button" }, icon("bell"));

  const show = () => {
    const label = on ? t("You are notified of new photos") : t("Notify me of new photos");
    setAttribute(button, "aria-label", label);
    button.setAttribute("aria-pressed", String(on));
    setAttribute(button, "title", label);
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
      app.toasts.show(on ? t("You are notified of each new photo of {name}", { name: `@${user.username}` }) : t("No more notifications of photos of {name}", { name: `@${user.username}` }), { iconName: "bell" });
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
