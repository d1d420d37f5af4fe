/** The pages with a user's saved photos and collections, and with the photos of a collection. */

import { photoCell } from "../photo/card.js";
import { collectionCells } from "./collection_cells.js";
import { CollectionOrder } from "./collection_order.js";
import { confirmDialog, emptyPage, emptyState, fill, h, icon, loadingPage } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { PhotoList } from "../photo/photo_list.js";
import { menu } from "../elements/menu.js";
import { collectionDialog } from "../photo/saving.js";
import { nameLink } from "../users/user.js";

/** The most collections that the page shows at once. */
const LIMIT = 60;

/** Create the page at "/saved". */
export function savedPage(app) {
  const collections = h("div");
  const load = async () => {
    try {
      const { items } = await app.api.get("/collections", { limit: LIMIT });
      fill(collections, items.length > 0 ? collectionCells(items, { own: true }) : h("p.secondary.page-text", {}, t("Sort photos into collections: choose “Save” in the menu of a photo.")));
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: load }, t("Try again"));
      fill(collections, emptyState("cloud", t("Could not load your collections"), error.message, again));
    }
  };
  load();
  const create = async (fields) => {
    await app.api.post("/collections", fields);
    await load();
  };
  const button = h(
    "button.button.plain.compact",
    { type: "button", onclick: () => collectionDialog({ heading: t("New collection"), action: t("Create"), save: create }) },
    icon("plus"),
    t("New collection"),
  );
  const list = photos(app, "/users/me/saved", () => emptyState("bookmark", t("Nothing saved yet"), t("Photos that you save appear here. Only you can see them.")));
  const element = h(
    "div",
    {},
    h("div.page-head", {}, h("h1", {}, t("Saved"))),
    h("div.section-row", {}, h("h2.section-head", {}, t("Collections")), button),
    collections,
    h("h2.section-head", {}, t("Saved photos")),
    list.element,
  );
  return { title: t("Saved"), element, wide: true, leave: () => list.leave() };
}

/** Create the page at "/c/:id". */
export function collectionPage(app, { id }) {
  const element = h("div", {}, loadingPage(t("Loading")));
  let list = null;
  let left = false;
  const head = h("div.page-head");
  let order = null;
  const show = (collection) => {
    const own = collection.owner.id === app.session.id;
    const about = own ? [icon(collection.public ? "people" : "lock"), collection.public ? t("Public") : t("Only you can see it")] : [t("By {name}", { name: nameLink(collection.owner) })];
    fill(head, h("div.title", {}, h("h1", {}, collection.title), h("p.secondary.small.audience", {}, about)), own && collectionMenu(app, collection, show, order));
    app.router.setTitle(collection.title);
  };
  const load = async () => {
    try {
      const collection = await app.api.get(`/collections/${id}`);
      if (left) return;
      order = collection.owner.id === app.session.id ? new CollectionOrder(app, id) : null;
      const empty = () => emptyState("image", t("No photos in here"), t("Photos of this collection that you can see appear here."));
      list = photos(app, `/collections/${id}/items`, empty, order);
      order?.attach(list);
      fill(element, head, order && order.element, list.element);
      show(collection);
    } catch (error) {
      if (left) return;
      const missing = error.status === 404 || error.status === 400;
      const again = h("button.button.plain", { type: "button", onclick: load }, t("Try again"));
      fill(element, missing ? emptyPage("image", t("Collection not available"), t("It was deleted, or you do not have access to it.")) : emptyPage("cloud", t("Could not load the collection"), error.message, again));
    }
  };
  load();
  const leave = () => {
    left = true;
    list?.leave();
  };
  return { title: t("Collection"), element, wide: true, leave };
}

/** With an `order` the photos can be arranged. */
function photos(app, path, empty, order = null) {
  const draw = (photo) => photoCell(app, photo);
  return new PhotoList(app, {
    className: "grid",
    keepsPlace: true,
    load: (cursor) => app.api.get(path, { cursor, limit: 30 }),
    draw: order ? (photo) => order.draw(photo, draw(photo)) : draw,
    empty,
  });
}

function collectionMenu(app, collection, changed, order) {
  const save = async (fields) => changed(await app.api.patch(`/collections/${collection.id}`, fields));
  const remove = async () => {
    const agreed = await confirmDialog({ heading: t("Delete this collection?"), text: t("The photos in it stay where they are."), action: t("Delete") });
    if (!agreed) return;
    try {
      await app.api.delete(`/collections/${collection.id}`);
      app.router.go("/saved", { replace: true });
    } catch (error) {
      app.toasts.error(error);
    }
  };
  return menu(t("Collection options"), [
    ["pencil", t("Edit collection"), () => collectionDialog({ heading: t("Edit collection"), action: t("Save"), collection, save })],
    ["arrange", t("Arrange photos"), () => order.start()],
    ["trash", t("Delete collection"), remove, "danger"],
  ]);
}
