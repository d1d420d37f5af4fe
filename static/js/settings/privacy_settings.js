/** The section of the settings about privacy: who sees the user, and what is kept and published of photo files. */

import { h, icon } from "../elements/dom.js";
import { checkbox, choice, form } from "../elements/form.js";
import { t } from "../elements/texts.js";

const LOCATIONS = [
  ["off", t("Do not keep it")],
  ["coarse", t("Keep it roughly (about 1 km)")],
  ["exact", t("Keep it exactly")],
];

/** Create the page at "/settings/privacy". */
export function privacySection(app) {
  const user = app.session.user;
  const isPrivate = checkbox("private", t("Private account"), t("Only followers you accept can see your photos."), user.private);
  const showsPresence = checkbox(
    "presence",
    t("Show when you are online"),
    t("Your followers can see whether you are online, and when you last were."),
    user.presence === "followers",
  );
  const searchable = checkbox(
    "searchable",
    t("Can be found"),
    t("The search finds you by your names, and your public photos by their words. You may be suggested to others."),
    user.searchable,
  );
  const locations = choice("location_metadata", t("Position in the camera data"), LOCATIONS, {
    value: user.location_metadata,
    hint: t("Of photos you share from now on. Only you can see it, below your photo."),
  });
  const rights = checkbox(
    "publish_rights",
    t("Publish creator and licence"),
    t("The creator, the copyright notice and the link to a licence in your files stay in the images that others see. For photos you share from now on."),
    user.publish_rights,
  );
  const sheet = form({
    inputs: [isPrivate, showsPresence, searchable, locations, rights],
    action: t("Save"),
    submit: async () => {
      const body = {
        private: isPrivate.input.checked,
        presence: showsPresence.input.checked ? "followers" : "nobody",
        searchable: searchable.input.checked,
        location_metadata: locations.input.value,
        publish_rights: rights.input.checked,
      };
      app.session.update(await app.api.patch("/users/me", body));
      app.toasts.show(t("Saved"), { iconName: "check" });
    },
  });
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Privacy"))),
    h(
      "div.settings-parts",
      {},
      sheet,
      h(
        "section",
        {},
        h("h2", {}, t("Close friends")),
        h("p.secondary", {}, t("They see the photos that you share with close friends.")),
        h("div", {}, h("a.button.plain", { href: "/settings/close-friends" }, icon("star"), t("Choose close friends"))),
      ),
    ),
  );
  return { title: t("Privacy"), element };
}
