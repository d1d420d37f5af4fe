/** Settings: name, bio, privacy of photos and presence, and signing out. */

import { h, icon } from "./dom.js";
import { checkbox, field, form } from "./form.js";

/** Create the page at "/settings". */
export function settingsPage(app) {
  const user = app.session.user;
  const name = field("display_name", "Name", { attributes: { maxlength: 60, autocomplete: "name", value: user.display_name } });
  const bio = field("bio", "About you", { kind: "textarea", attributes: { maxlength: 500 } });
  bio.input.value = user.bio;
  const isPrivate = checkbox(
    "private",
    "Private account",
    "Only followers you accept can see your photos.",
    user.private,
  );
  const showsPresence = checkbox(
    "presence",
    "Show when you are online",
    "Your followers can see whether you are online, and when you last were.",
    user.presence === "followers",
  );
  const sheet = form({
    inputs: [name, bio, isPrivate, showsPresence],
    action: "Save",
    submit: async () => {
      const body = {
        display_name: name.input.value.trim(),
        bio: bio.input.value.trim(),
        private: isPrivate.input.checked,
        presence: showsPresence.input.checked ? "followers" : "nobody",
      };
      app.session.update(await app.api.patch("/users/me", body));
      app.toasts.show("Saved", { iconName: "check" });
    },
  });
  const signOut = async () => {
    try {
      await app.session.signOut();
    } catch (error) {
      app.toasts.error(error);
    }
  };
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, "Settings")),
    h(
      "div.settings",
      {},
      h("section", {}, h("h2.visually-hidden", {}, "Profile"), sheet),
      h(
        "section",
        {},
        h("h2", {}, "Session"),
        h("p.secondary", {}, `Signed in as @${user.username}.`),
        h("div", {}, h("button.button.plain", { type: "button", onclick: signOut }, icon("out"), "Sign out")),
      ),
    ),
  );
  return { title: "Settings", element };
}
