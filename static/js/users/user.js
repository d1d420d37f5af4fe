/** Users as shown with photos, comments and notifications: avatar, name and a link to the profile. */

import { fill, h } from "../elements/dom.js";

/** Return the path of a user's profile. */
export function profilePath(user) {
  return `/u/${encodeURIComponent(user.username)}`;
}

/** Return the display name of a user, or else the user name. */
export function displayName(user) {
  return user.display_name || user.username;
}

/** Return the avatar of a user, or else their initial on a colour; `size` is "", "tiny" or "huge". */
export function avatar(user, size = "") {
  const element = h(
    "span.avatar",
    { "aria-hidden": "true", style: { "--hue": hue(user.username) }, data: { user: user.id } },
    initial(displayName(user)),
  );
  if (size) element.classList.add(size);
  if (user.avatar_url) {
    const image = h("img", { src: user.avatar_url, alt: "", loading: "lazy", decoding: "async" });
    image.addEventListener("error", () => image.remove());
    element.append(image);
  }
  return element;
}

/** Return a link with a user's name. */
export function nameLink(user) {
  return h("a.name", { href: profilePath(user), data: { user: user.id } }, h("bdi", {}, displayName(user)));
}

/** Show the current names and avatar of a user everywhere on the page. */
export function redrawUser(user) {
  for (const element of document.querySelectorAll(`.avatar[data-user="${user.id}"]`)) {
    const size = ["tiny", "huge"].find((name) => element.classList.contains(name)) ?? "";
    element.replaceWith(avatar(user, size));
  }
  for (const link of document.querySelectorAll(`a.name[data-user="${user.id}"]`)) {
    fill(link, h("bdi", {}, displayName(user)));
    link.href = profilePath(user);
  }
}

/** Return a row of a list of users, with `extra` at its end. */
export function userRow(user, ...extra) {
  return h(
    "div.user-row",
    {},
    h("a", { href: profilePath(user), tabindex: "-1", "aria-hidden": "true" }, avatar(user)),
    h("div.user-names", {}, nameLink(user), h("span.handle.secondary.small", {}, h("bdi", {}, `@${user.username}`))),
    extra,
  );
}

/** The first letter as users see it: with its marks, and a flag or a family of several characters as a whole. */
function initial(name) {
  // Most names begin with two letters of ASCII, for which no segmenter has to be made.
  if (/^[!-~][ -~]/.test(name)) return name[0];
  const [first] = new Intl.Segmenter().segment(name.trim());
  return first?.segment ?? "?";
}

/** Return a hue (0–359) that depends only on the user name. */
function hue(username) {
  let sum = 7;
  for (const symbol of username) sum = (sum * 31 + symbol.codePointAt(0)) % 3600;
  return Math.round(sum / 10);
}
