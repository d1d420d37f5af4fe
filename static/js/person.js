/** People as they appear beside photos, comments and notifications: an avatar, a name, a way to their profile. */

import { h } from "./dom.js";

/** Return the path of a person's profile. */
export function profilePath(person) {
  return `/u/${encodeURIComponent(person.username)}`;
}

/** Return what to call a person. */
export function nameOf(person) {
  return person.display_name || person.username;
}

/** Return a round picture of a person, or their initial on a colour of their own; `size` is "", "tiny" or "huge". */
export function avatar(person, size = "") {
  const element = h("span.avatar", { "aria-hidden": "true", style: { "--hue": hue(person.username) } }, initial(nameOf(person)));
  if (size) element.classList.add(size);
  if (person.avatar_url) {
    const image = h("img", { src: person.avatar_url, alt: "", loading: "lazy", decoding: "async" });
    image.addEventListener("error", () => image.remove());
    element.append(image);
  }
  return element;
}

/** Return a link with a person's name. */
export function nameLink(person) {
  return h("a.name", { href: profilePath(person) }, nameOf(person));
}

/** Return a row of a list of people; `extra` stands at its end. */
export function personRow(person, ...extra) {
  return h(
    "div.person",
    {},
    h("a", { href: profilePath(person), tabindex: "-1", "aria-hidden": "true" }, avatar(person)),
    h("div.who", {}, nameLink(person), h("span.handle.quiet.small", {}, `@${person.username}`)),
    extra,
  );
}

function initial(name) {
  return [...name.trim()][0] ?? "?";
}

/** Return a hue (0–359) that stays with a user name. */
function hue(username) {
  let sum = 7;
  for (const symbol of username) sum = (sum * 31 + symbol.codePointAt(0)) % 3600;
  return Math.round(sum / 10);
}
