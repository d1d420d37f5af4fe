/** The section of the settings about the profile: avatar and banner, name, bio. */

import { h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { t } from "../elements/texts.js";
import { ProfileImageField } from "../profile/profile_image.js";

/** Create the page at "/settings/profile". */
export function profileSection(app) {
  const user = app.session.user;
  const name = field("display_name", t("Name"), { attributes: { maxlength: 60, autocomplete: "name", value: user.display_name } });
  const bio = field("bio", t("About you"), { kind: "textarea", attributes: { maxlength: 500, rows: 4 } });
  bio.input.value = user.bio;
  const pictures = ["avatar", "banner"].map((kind) => new ProfileImageField(app, kind));
  const sheet = form({
    inputs: [name, bio],
    action: t("Save"),
    submit: async () => {
      const body = { display_name: name.input.value.trim(), bio: bio.input.value.trim() };
      app.session.update(await app.api.patch("/users/me", body));
      app.toasts.show(t("Saved"), { iconName: "check" });
    },
  });
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Profile"))),
    h(
      "div.settings-parts",
      {},
      h("div.profile-images", {}, pictures.map((picture) => picture.element)),
      sheet,
    ),
  );
  const leave = () => {
    for (const picture of pictures) picture.leave();
  };
  return { title: t("Profile"), element, leave };
}
