/** The pages of lists: all of them, the feed of one, and the people in it. */

import { photoCard } from "../photo/card.js";
import { ChosenUsers } from "../users/chosen_users.js";
import { emptyPage, emptyState, fill, h, icon, loadingPage } from "../elements/dom.js";
import { feedSources } from "../photo/feed_sources.js";
import { listDialog, listMenu } from "./list_dialogs.js";
import { t, tn } from "../elements/texts.js";
import { PhotoList } from "../photo/photo_list.js";
import { VisiblePhotos } from "../photo/visible_photos.js";

const PAGE_SIZE = 50;

/** Create the page at "/lists". */
export function listsPage(app) {
  const sources = feedSources(app, "/lists");
  const content = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading your lists") }));
  let loaded = false;
  const draw = () => {
    if (!loaded) return;
    const rows = app.lists.items.map((list) => h("li", {}, listRow(app, list)));
    fill(content, rows.length > 0 ? h("ul.user-list.list-rows.panel", {}, rows) : emptyState("people", t("No lists yet"), t("A list shows the photos of the people in it, and no others.")));
  };
  const load = async () => {
    try {
      await app.lists.load();
      loaded = true;
      draw();
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: load }, t("Try again"));
      fill(content, emptyState("cloud", t("Could not load your lists"), error.message, again));
    }
  };
  app.lists.addEventListener("change", draw);
  load();
  const create = () => listDialog({ heading: t("New list"), action: t("Create"), save: (title) => app.lists.create(title) });
  const button = h("button.button.plain.compact", { type: "button", onclick: create }, icon("plus"), t("New list"));
  const element = h(
    "div.with-sources",
    {},
    sources.element,
    h("div.page-head", {}, h("h1", {}, t("Lists")), button),
    h("p.secondary.page-text", {}, t("Read the photos of some people apart, whether you follow them or not. Only you can see your lists.")),
    content,
  );
  const leave = () => {
    sources.leave();
    app.lists.removeEventListener("change", draw);
  };
  return { title: t("Lists"), element, leave };
}

function listRow(app, list) {
  const { id, title, accounts } = list;
  return h(
    "div.user-row",
    {},
    h("div.user-names", {}, h("a.name", { href: `/lists/${id}` }, h("bdi", {}, title)), h("a.secondary.small", { href: `/lists/${id}/accounts` }, people(accounts))),
    listMenu(app, list, () => {}),
  );
}

/** Create the page at "/lists/:id". */
export function listPage(app, { id }) {
  const page = new ListPage(app, id);
  return { title: t("List"), element: page.element, keep: true, leave: () => page.leave(), refresh: () => page.refresh() };
}

class ListPage {
  #app;
  #id;
  #sources;
  #photos;
  #visiblePhotos;
  #head = h("div.page-head", {}, h("h1.visually-hidden", {}, t("List")));
  #list = null;
  /** The list has been loaded, or failed to. */
  #loaded;
  #left = false;
  element;

  constructor(app, id) {
    this.#app = app;
    this.#id = id;
    this.#sources = feedSources(app, `/lists/${id}`);
    this.#visiblePhotos = new VisiblePhotos(app);
    this.#photos = new PhotoList(app, {
      className: "feed",
      keepsPlace: true,
      load: (cursor) => this.#loadPhotos(cursor),
      draw: (photo, index) => this.#draw(photo, index),
      empty: () => this.#empty(),
    });
    this.element = h("div.with-sources", {}, this.#sources.element, this.#head, this.#photos.element);
    app.lists.addEventListener("change", this.#changed);
    this.#loaded = this.#load();
  }

  /** Load the newest photos. */
  refresh() {
    return this.#photos.reload();
  }

  leave() {
    this.#left = true;
    this.#app.lists.removeEventListener("change", this.#changed);
    this.#sources.leave();
    this.#photos.leave();
    this.#visiblePhotos.leave();
  }

  async #load() {
    try {
      this.#show(await this.#app.api.get(`/lists/${this.#id}`));
    } catch (error) {
      if (!this.#missing(error)) this.#app.toasts.error(error);
    }
  }

  async #loadPhotos(cursor) {
    try {
      // Whether a list without photos is one without people is known once the list is.
      const [page] = await Promise.all([this.#app.api.get("/feed", { source: `list:${this.#id}`, cursor, limit: 10 }), this.#loaded]);
      return page;
    } catch (error) {
      this.#missing(error);
      throw error;
    }
  }

  #draw(photo, index) {
    const card = photoCard(this.#app, photo, { first: index === 0 });
    return this.#visiblePhotos.whileShown(card, photo.id);
  }

  #show(list) {
    const { title, accounts } = this.#list ?? {};
    if (this.#left || (title === list.title && accounts === list.accounts)) return;
    this.#list = list;
    const link = h("a.secondary.small", { href: `/lists/${this.#id}/accounts` }, people(list.accounts));
    fill(this.#head, h("div.title", {}, h("h1", {}, h("bdi", {}, list.title)), link), listMenu(this.#app, list, () => this.#app.router.go("/lists", { replace: true })));
    this.#setTitle(list.title);
  }

  /** Set the title, unless the page is only kept, and another one is shown. */
  #setTitle(title) {
    if (this.#app.router.path === `/lists/${this.#id}`) this.#app.router.setTitle(title);
  }

  /** Show that there is no such list, or that it was deleted while it was read; return whether that is the error. */
  #missing({ status }) {
    const missing = status === 404 || status === 400;
    if (missing && !this.#left) {
      fill(this.element, this.#sources.element, emptyPage("people", t("List not available"), t("It was deleted, or it is not yours.")));
      this.#setTitle(t("List not available"));
    }
    return missing;
  }

  #empty() {
    const add = h("a.button", { href: `/lists/${this.#id}/accounts` }, t("Add people"));
    if (this.#list?.accounts === 0) return emptyState("people", t("This list is empty"), t("Add people, and their photos appear here."), add);
    return emptyState("image", t("No photos yet"), t("Photos of the people in this list appear here."), add);
  }

  #changed = ({ detail }) => {
    const list = this.#app.lists.items.find(({ id }) => id === this.#id);
    if (!list) return;
    this.#show(list);
    if (detail === this.#id) this.#photos.reload().catch((error) => this.#app.toasts.error(error));
  };
}

/** Create the page at "/lists/:id/accounts". */
export function listAccountsPage(app, { id }) {
  const chosen = new ChosenUsers(app, {
    load: (cursor) => app.api.get(`/lists/${id}/accounts`, { cursor, limit: PAGE_SIZE }),
    change: (user, add) => app.lists.setMember({ id }, user, add),
    empty: () => emptyState("people", t("This list is empty"), t("Find the people whose photos you want to read apart.")),
  });
  const element = h("div", {}, loadingPage(t("Loading the list")));
  let left = false;
  const load = async () => {
    try {
      const { title } = await app.api.get(`/lists/${id}`);
      if (left) return;
      const back = h("a.icon-button", { href: `/lists/${id}`, "aria-label": t("To the photos of this list") }, icon("back"));
      const note = t("They do not learn that they are in this list. You see the photos of theirs that you can see elsewhere.");
      fill(element, h("div.page-head.list-head", {}, back, h("h1", {}, h("bdi", {}, title))), h("p.secondary.page-text", {}, note), chosen.element);
      app.router.setTitle(title);
      chosen.more();
    } catch (error) {
      if (left) return;
      const missing = error.status === 404 || error.status === 400;
      const again = h("button.button.plain", { type: "button", onclick: load }, t("Try again"));
      fill(element, missing ? emptyPage("people", t("List not available"), t("It was deleted, or it is not yours.")) : emptyPage("cloud", t("Could not load the list"), error.message, again));
      app.router.setTitle(missing ? t("List not available") : t("List"));
    }
  };
  load();
  const leave = () => {
    left = true;
    chosen.leave();
  };
  return { title: t("List"), element, leave };
}

function people(number) {
  return number === 0 ? t("No one yet") : tn("{count} person", "{count} people", number);
}
