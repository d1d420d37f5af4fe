/** A person's profile: who they are, follow, and their photos as a grid. */

import { photoCell } from "./card.js";
import { append, blank, confirmDialog, fill, h, icon } from "./dom.js";
import { followButton } from "./follow.js";
import { count } from "./like.js";
import { avatar, nameOf } from "./person.js";
import { PhotoList } from "./photo_list.js";
import { menu } from "./photo_menu.js";
import { PresenceLine } from "./presence.js";

/** Make the page at "/u/:username". */
export function profilePage(app, { username }) {
  const page = new ProfilePage(app, username);
  return { title: username, element: page.element, wide: true, keep: true, leave: () => page.leave() };
}

class ProfilePage {
  #app;
  #username;
  #person = null;
  #list = null;
  #presence;
  #stops = [];
  #left = false;
  element = h("div", {}, h("div.spinner", { role: "status", "aria-label": "Loading the profile" }));

  constructor(app, username) {
    this.#app = app;
    this.#username = username;
    this.#presence = new PresenceLine(app);
    this.#load();
  }

  leave() {
    this.#left = true;
    for (const stop of this.#stops) stop();
    this.#presence.leave();
    this.#list?.leave();
  }

  async #load() {
    try {
      this.#person = await this.#app.api.get(`/users/${encodeURIComponent(this.#username)}`);
      if (!this.#left) this.#show();
    } catch (error) {
      if (this.#left) return;
      const missing = error.status === 404;
      fill(
        this.element,
        blank(missing ? "people" : "cloud", missing ? "Nobody here" : "The profile did not arrive", missing ? `There is no @${this.#username}, or not for you.` : error.message),
      );
    }
  }

  #show() {
    const person = this.#person;
    const own = person.id === this.#app.session.id;
    this.#list?.leave();
    this.#list = new PhotoList(this.#app, {
      className: "grid",
      load: (cursor) => this.#app.api.get(`/users/${person.id}/photos`, { cursor, limit: 30 }),
      draw: (photo) => photoCell(this.#app, photo),
      empty: () => this.#empty(own),
    });
    fill(this.element, this.#head(own), this.#mayLook(own) ? this.#list.element : locked());
    this.#app.router.setTitle(nameOf(person));
    if (!own) this.#presence.watch(person);
    if (!own || this.#stops.length > 0) {
      this.#watch(person, own);
      return;
    }
    this.#watch(person, own);
    this.#stops.push(this.#app.uploads.onReady((photo) => this.#list.insert(photo)));
  }

  #watch(person, own) {
    if (own || this.#stops.length > 0) return;
    const heard = (data) => data.type === "photo.new" && this.#list.insert(data.photo);
    this.#stops.push(this.#app.live.subscribe(`user:${person.id}`, { publication: heard }));
  }

  #mayLook(own) {
    return own || !this.#person.private || this.#person.relation?.following;
  }

  #head(own) {
    const person = this.#person;
    const figures = h("p.figures");
    const drawFigures = () =>
      fill(
        figures,
        figure(person.photos, "photo", "photos"),
        h("a", { href: `/u/${encodeURIComponent(person.username)}/followers` }, figure(person.followers, "follower", "followers")),
        h("a", { href: `/u/${encodeURIComponent(person.username)}/following` }, figure(person.following, "following", "following")),
      );
    drawFigures();
    const buttons = h("div.buttons");
    if (own) {
      append(buttons, [h("a.button.plain", { href: "/settings" }, icon("gear"), "Edit profile")]);
    } else if (this.#app.session.user) {
      const follow = followButton(this.#app, person, (relation) => {
        person.followers += Number(relation.following) - Number(person.relation.following);
        person.relation = { ...relation };
        drawFigures();
      }, () => this.#presence.renew());
      append(buttons, [follow, this.#menu()]);
    }
    return h(
      "header.profile-head",
      {},
      avatar(person, "huge"),
      h(
        "div.title",
        {},
        h("h1", {}, nameOf(person)),
        h("p.quiet", {}, `@${person.username}`, person.private && " · private", person.relation?.followed_by && h("span.follows-you", {}, "follows you")),
        this.#presence.element,
      ),
      buttons,
      figures,
      person.bio && h("p.bio", {}, person.bio),
    );
  }

  #menu() {
    const { relation, id, username } = this.#person;
    const change = async (method, what, text) => {
      try {
        await this.#app.api[method](`/users/${id}/${what}`);
        this.#app.toasts.show(text, { iconName: "check" });
        await this.#load();
      } catch (error) {
        this.#app.toasts.error(error);
      }
    };
    const block = async () => {
      const agreed = await confirmDialog({
        heading: `Block @${username}?`,
        text: "You no longer see each other’s photos, and follow each other no more.",
        action: "Block",
      });
      if (agreed) await change("put", "block", `@${username} is blocked`);
    };
    return menu("More about this person", [
      relation.muting
        ? ["mute", "Unmute", () => change("delete", "mute", `@${username} is heard again`)]
        : ["mute", "Mute", () => change("put", "mute", `@${username} is muted`)],
      relation.blocking
        ? ["block", "Unblock", () => change("delete", "block", `@${username} is no longer blocked`)]
        : ["block", "Block", block, "danger"],
    ]);
  }

  #empty(own) {
    if (!own) return blank("image", "No photos yet", `When ${nameOf(this.#person)} shares one, it appears here.`);
    return blank("image", "Share your first photo", "It reaches everyone who follows you at once.", h("a.button", { href: "/new" }, "Choose a photo"));
  }
}

function figure(number, one, many) {
  return h("span", {}, h("b", {}, count(number)), " ", h("span.quiet", {}, number === 1 ? one : many));
}

function locked() {
  return blank("lock", "This account is private", "Follow to see its photos, once the request is accepted.");
}
