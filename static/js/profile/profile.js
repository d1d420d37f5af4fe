/** The profile of a user, with their photos as a grid. */

import { bellButton } from "../users/bell.js";
import { photoCell } from "../photo/card.js";
import { userCollections } from "./collection_cells.js";
import { append, confirmDialog, emptyPage, emptyState, fill, h, icon, loadingPage } from "../elements/dom.js";
import { followButton } from "../users/follow.js";
import { count } from "../photo/like.js";
import { linkItems } from "../elements/links.js";
import { listsOfUserDialog } from "../lists/list_dialogs.js";
import { PhotoList } from "../photo/photo_list.js";
import { menu } from "../elements/menu.js";
import { PresenceLine } from "../users/presence.js";
import { banner } from "./profile_image.js";
import { t, tn } from "../elements/texts.js";
import { reportDialog } from "../reports/report_dialog.js";
import { unavailable } from "../elements/unavailable.js";
import { avatar, displayName, profilePath, redrawUser } from "../users/user.js";

/** Photos that are loaded at once. */
const PHOTOS = 30;

/** Create the page at "/u/:username". */
export function profilePage(app, { username }) {
  const page = new ProfilePage(app, username);
  return { title: username, element: page.element, wide: true, keep: true, leave: () => page.leave(), refresh: () => page.refresh() };
}

class ProfilePage {
  #app;
  #username;
  #user = null;
  #list = null;
  #collections = null;
  #presence;
  #stops = [];
  #left = false;
  element = h("div", {}, loadingPage(t("Loading the profile")));

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

  /** Load the profile and its newest photos. */
  refresh() {
    return this.#load();
  }

  async #load() {
    try {
      this.#user = await this.#app.api.get(`/users/${encodeURIComponent(this.#username)}`);
      if (this.#left) return;
      if (this.#user.username.toLowerCase() !== this.#username.toLowerCase()) {
        // The link has a former name.
        this.#app.router.go(profilePath(this.#user), { replace: true });
        return;
      }
      if (this.#canSeePhotos()) this.#app.api.getAhead(`/users/${this.#user.id}/photos`, { limit: PHOTOS });
      // Before the photos are shown, which would move down.
      this.#collections = this.#canSeePhotos() ? await userCollections(this.#app, this.#user) : null;
      if (!this.#left) this.#show();
    } catch (error) {
      if (this.#left) return;
      const missing = error.status === 404;
      const heading = missing ? t("Profile not found") : t("Could not load the profile");
      const text = t("{name} does not exist, or is not visible to you.", { name: `@${this.#username}` });
      const page = missing ? emptyPage("people", heading, text) : unavailable(this.#app, { heading, error, again: () => this.#load(), page: true });
      fill(this.element, page);
      this.#app.router.setTitle(heading);
    }
  }

  /** Show that there is no such profile any more. */
  #hidden() {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#presence.leave();
    this.#list.leave();
    this.#load();
  }

  #show() {
    const user = this.#user;
    const own = this.#isOwn();
    this.#list?.leave();
    this.#list = new PhotoList(this.#app, {
      className: "grid",
      keepsPlace: true,
      load: (cursor) => this.#app.api.get(`/users/${user.id}/photos`, { cursor, limit: PHOTOS }),
      draw: (photo) => photoCell(this.#app, photo),
      empty: () => this.#empty(own),
    });
    const photosHead = this.#collections && h("h2.section-head", {}, t("Photos"));
    fill(this.element, this.#head(own), this.#canSeePhotos() ? [this.#collections, photosHead, this.#list.element] : privateAccount());
    this.#app.router.setTitle(displayName(user));
    if (!own) this.#presence.watch(user);
    if (!own || this.#stops.length > 0) {
      this.#watch(user, own);
      return;
    }
    this.#watch(user, own);
    this.#stops.push(this.#app.uploads.onReady((photo) => this.#list.insert(photo)));
  }

  #watch(user, own) {
    if (own || this.#stops.length > 0) return;
    const received = (data) => {
      if (data.type === "photo.new") this.#list.insert(data.photo);
      if (data.type === "photo.removed") this.#check(data.photo_id);
      if (data.type === "user.changed") this.#redraw(data.user);
      this.#app.accounts.received(data);
    };
    this.#stops.push(
      this.#app.live.subscribe(`user:${user.id}`, { publication: received }),
      this.#app.accounts.watch((userId) => userId === user.id && this.#hidden()),
    );
  }

  /** Remove a photo that is deleted, or that is for an audience without the user by now. */
  async #check(id) {
    try {
      await this.#app.api.get(`/photos/${id}`);
    } catch (error) {
      if (error.status === 404) this.#app.photos.remove(id);
    }
  }

  /** Show a changed name, avatar or banner. */
  #redraw(changed) {
    const former = profilePath(this.#user);
    Object.assign(this.#user, changed);
    this.#app.router.rename(former, profilePath(this.#user));
    this.element.querySelector(".profile-top").replaceWith(this.#head(false));
    this.#app.router.setTitle(displayName(this.#user));
    redrawUser(this.#user);
  }

  #isOwn() {
    return this.#user.id === this.#app.session.id;
  }

  #canSeePhotos() {
    return this.#isOwn() || !this.#user.private || this.#user.relation?.following;
  }

  #head(own) {
    const user = this.#user;
    const stats = h("p.stats");
    const drawStats = () =>
      fill(
        stats,
        stat((values) => tn("<b>{number}</b> <what>photo</what>", "<b>{number}</b> <what>photos</what>", user.photos, values), user.photos),
        h("a", { href: `${profilePath(user)}/followers` }, stat((values) => tn("<b>{number}</b> <what>follower</what>", "<b>{number}</b> <what>followers</what>", user.followers, values), user.followers)),
        h("a", { href: `${profilePath(user)}/following` }, stat((values) => tn("<b>{number}</b> <what>following</what>", "<b>{number}</b> <what>following</what>", user.following, values), user.following)),
      );
    drawStats();
    const buttons = h("div.buttons");
    if (own) {
      append(buttons, [h("a.button.plain", { href: "/settings" }, icon("gear"), t("Edit profile")), h("a.button.plain", { href: "/saved" }, icon("bookmark"), t("Saved"))]);
    } else if (this.#app.session.user) {
      const follow = followButton(this.#app, user, (relation) => {
        user.followers += Number(relation.following) - Number(user.relation.following);
        user.relation = { ...relation };
        drawStats();
        bell.follow(relation);
      }, () => this.#presence.refresh());
      const bell = bellButton(this.#app, user);
      append(buttons, [follow, bell.button, this.#menu()]);
    }
    const head = h(
      "header.profile-head",
      {},
      avatar(user, "huge"),
      h(
        "div.title",
        {},
        h("h1", {}, h("bdi", {}, displayName(user))),
        h("p.secondary", {}, h("bdi", {}, `@${user.username}`), user.private && [" · ", t("private")], user.relation?.followed_by && h("span.follows-you", {}, t("follows you"))),
        this.#presence.element,
      ),
      buttons,
      stats,
      user.bio && h("p.bio", { dir: "auto" }, user.bio),
    );
    return h("div.profile-top", {}, banner(user), head);
  }

  #menu() {
    const { relation, id, username } = this.#user;
    const handle = `@${username}`;
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
        heading: t("Block {name}?", { name: handle }),
        text: t("You will no longer see each other’s photos or follow each other."),
        action: t("Block"),
      });
      if (agreed) await change("put", "block", t("{name} is blocked", { name: handle }));
    };
    return menu(t("Profile options"), [
      ...linkItems(this.#app, profilePath(this.#user), handle),
      ...(relation.blocking ? [] : [["layers", t("Add to lists"), () => listsOfUserDialog(this.#app, this.#user)]]),
      relation.close_friend
        ? ["star", t("Remove from close friends"), () => change("delete", "close-friend", t("{name} is no close friend any more", { name: handle }))]
        : ["star", t("Add to close friends"), () => change("put", "close-friend", t("{name} is a close friend", { name: handle }))],
      relation.muting
        ? ["mute", t("Unmute"), () => change("delete", "mute", t("{name} is no longer muted", { name: handle }))]
        : ["mute", t("Mute"), () => change("put", "mute", t("{name} is muted", { name: handle }))],
      relation.blocking
        ? ["block", t("Unblock"), () => change("delete", "block", t("{name} is no longer blocked", { name: handle }))]
        : ["block", t("Block"), block, "danger"],
      ["flag", t("Report account"), () => reportDialog(this.#app, { kind: "user", id, what: t("Report {name}", { name: handle }) })],
    ]);
  }

  #empty(own) {
    if (!own) return emptyState("image", t("No photos yet"), t("Photos that {name} shares appear here.", { name: displayName(this.#user) }));
    return emptyState("image", t("Share your first photo"), t("Your followers see it at once."), h("a.button", { href: "/new" }, t("Choose a photo")));
  }
}

/** Return a number with what it counts; `text(values)` is the message. */
function stat(text, number) {
  return h("span", {}, text({ number: count(number), b: (parts) => h("b", {}, parts), what: (parts) => h("span.secondary", {}, parts) }));
}

function privateAccount() {
  return emptyState("lock", t("This account is private"), t("Send a follow request. You see the photos once it is accepted."));
}
