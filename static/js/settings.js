/** Settings: pictures, names, bio, privacy of photos and presence, webhooks, exports, signing out, and the end of the account. */

import { deleteAccountDialog } from "./account_deletion.js";
import { h, icon } from "./dom.js";
import { checkbox, choice, field, form } from "./form.js";
import { isModerator } from "./moderation.js";
import { ProfileImageField } from "./profile_image.js";

/** Create the page at "/settings". */
export function settingsPage(app) {
  const user = app.session.user;
  const name = field("display_name", "Name", { attributes: { maxlength: 60, autocomplete: "name", value: user.display_name } });
  const username = field("username", "User name", {
    hint: "3 to 30 letters, digits, dots and underscores. Your former name leads to your profile for 30 days, and no one else can take it.",
    attributes: { maxlength: 30, autocomplete: "username", autocapitalize: "none", spellcheck: "false", value: user.username },
  });
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
  const searchable = checkbox(
    "searchable",
    "Can be found",
    "The search finds you by your names, and your public photos by their words.",
    user.searchable,
  );
  const locations = choice(
    "location_metadata",
    "Position in the camera data",
    [
      ["off", "Do not keep it"],
      ["coarse", "Keep it roughly (about 1 km)"],
      ["exact", "Keep it exactly"],
    ],
    { value: user.location_metadata, hint: "Of photos you share from now on. Only you can see it, below your photo." },
  );
  const rights = checkbox(
    "publish_rights",
    "Publish creator and licence",
    "The creator, the copyright notice and the link to a licence in your files stay in the images that others see. For photos you share from now on.",
    user.publish_rights,
  );
  const sheet = form({
    inputs: [name, username, bio, isPrivate, showsPresence, searchable, locations, rights],
    action: "Save",
    submit: async () => {
      const body = {
        display_name: name.input.value.trim(),
        username: username.input.value.trim(),
        bio: bio.input.value.trim(),
        private: isPrivate.input.checked,
        presence: showsPresence.input.checked ? "followers" : "nobody",
        searchable: searchable.input.checked,
        location_metadata: locations.input.value,
        publish_rights: rights.input.checked,
      };
      app.session.update(await app.api.patch("/users/me", body));
      signedInAs.textContent = `Signed in as @${app.session.user.username}.`;
      app.toasts.show("Saved", { iconName: "check" });
    },
  });
  const signedInAs = h("p.secondary", {}, `Signed in as @${user.username}.`);
  const pictures = ["avatar", "banner"].map((kind) => new ProfileImageField(app, kind));
  const signOut = async () => {
    try {
      await app.signOut();
    } catch (error) {
      app.toasts.error(error);
    }
  };
  const deleteAccount = async () => {
    try {
      await deleteAccountDialog(app);
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
      h("section", {}, h("h2", {}, "Pictures"), h("div.profile-images", {}, pictures.map((picture) => picture.element))),
      h("section", {}, h("h2.visually-hidden", {}, "Profile"), sheet),
      h(
        "section",
        {},
        h("h2", {}, "Close friends"),
        h("p.secondary", {}, "They see the photos that you share with close friends."),
        h("div", {}, h("a.button.plain", { href: "/settings/close-friends" }, icon("star"), "Choose close friends")),
      ),
      h(
        "section",
        {},
        h("h2", {}, "Webhooks"),
        h("p.secondary", {}, "Your own programs learn at once what happens with your photos."),
        h("div", {}, h("a.button.plain", { href: "/settings/webhooks" }, icon("link"), "Manage webhooks")),
      ),
      h(
        "section",
        {},
        h("h2", {}, "Your data"),
        h("p.secondary", {}, "Download your photos and everything else that belongs to your account, or import photos from elsewhere."),
        h("div", {}, h("a.button.plain", { href: "/settings/data" }, icon("layers"), "Export or import your data")),
      ),
      h(
        "section",
        {},
        h("h2", {}, "Moderation"),
        h("p.secondary", {}, "What moderators have decided about your account and what you have posted."),
        h(
          "div.settings-links",
          {},
          h("a.button.plain", { href: "/decisions" }, icon("flag"), "Decisions about you"),
          isModerator(user) && h("a.button.plain", { href: "/moderation" }, icon("people"), "Queue of moderators"),
        ),
      ),
      h(
        "section",
        {},
        h("h2", {}, "Session"),
        signedInAs,
        h("div", {}, h("button.button.plain", { type: "button", onclick: signOut }, icon("out"), "Sign out")),
      ),
      h(
        "section",
        {},
        h("h2", {}, "Delete account"),
        h("p.secondary", {}, "Export your data first, if you want to keep it."),
        h("div", {}, h("button.button.plain", { type: "button", onclick: deleteAccount }, icon("trash"), "Delete account")),
      ),
    ),
  );
  const leave = () => {
    for (const picture of pictures) picture.leave();
  };
  return { title: "Settings", element, leave };
}
