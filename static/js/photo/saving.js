/** Saving a photo: the button at the photo, and the dialog with the user's collections. */

import { fill, h, icon, visuallyHidden } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { OptimisticChange } from "../elements/optimistic_change.js";
import { t } from "../elements/texts.js";

/** The most collections that the dialog shows. */
const LIMIT = 100;

/**
 * Return `{button, update}`: a button that saves a photo, or removes it from the saved ones. Call `update()` after `photo`
 * has changed; until its `saved` is known, the button shows that it is not.
 */
export function saveButton(app, photo) {
  const subject = `save:${photo.id}`;
  const show = (saved) => app.photos.patch(photo.id, { saved });
  const change = new OptimisticChange({
    send: async (saved) => {
      const name = `@${photo.author.username}`;
      const text = String(saved ? t("Save a photo of {name}", { name }) : t("Remove a photo of {name} from your saved ones", { name }));
      const done = await app.pending.switch({ subject, path: `/photos/${photo.id}/save`, on: saved, text });
      if (done === undefined) return; // it is sent when there is a connection
      app.toasts.show(saved ? t("Saved") : t("Removed from your saved photos"), { iconName: "check" });
    },
    failed: (saved, error) => {
      show(saved);
      app.toasts.error(error);
    },
  });
  const toggle = () => {
    const before = photo.saved === true;
    show(!before);
    change.request(before, !before);
  };
  const button = h("button.action.save", { type: "button", onclick: toggle }, icon("bookmark"), visuallyHidden(t("Save")));
  const update = () => {
    button.setAttribute("aria-pressed", String(photo.saved === true));
    button.toggleAttribute("data-pending", app.pending.wanted(subject) !== undefined);
  };
  update();
  return { button, update };
}

/** Fetch which photos of a page are saved. What the user has changed by then stays. */
export async function fetchSaved(app, photos) {
  const unknown = photos.filter((photo) => photo.saved === undefined);
  if (!app.session.id || unknown.length === 0) return;
  let found;
  try {
    found = await app.api.get("/photos/saved-state", { ids: unknown.map(({ id }) => id).join(",") });
  } catch {
    // The buttons work without: to save a saved photo again changes nothing.
    return;
  }
  for (const photo of unknown) {
    if (photo.saved !== undefined) continue;
    photo.saved = found.saved.includes(photo.id);
    app.photos.patch(photo.id, { saved: photo.saved });
  }
}

/** Open the dialog. */
export async function savePhoto(app, photo) {
  let kept;
  try {
    kept = await whereKept(app, photo, LIMIT);
  } catch (error) {
    app.toasts.error(error);
    return;
  }
  const list = h("ul.keep-list");
  const add = (collection) => {
    const path = `/collections/${collection.id}/items`;
    const change = (on) => (on ? app.api.post(path, { photo_id: photo.id }) : app.api.delete(`${path}/${photo.id}`));
    list.append(row(app, collection.title, collection.public ? "people" : "lock", collection.contains, change));
  };
  const changeSaved = async (saved) => {
    await setSaved(app, photo, saved);
    app.photos.patch(photo.id, { saved });
  };
  list.append(row(app, t("Saved photos"), "bookmark", kept.saved, changeSaved));
  kept.items.forEach(add);
  const title = field("title", t("New collection"), { attributes: { maxlength: 60 } });
  const sheet = form({
    inputs: [title],
    action: t("Create and add"),
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Done")),
    submit: async () => {
      const created = await app.api.post("/collections", { title: title.input.value });
      await app.api.post(`/collections/${created.id}/items`, { photo_id: photo.id });
      title.input.value = "";
      add({ ...created, contains: true });
    },
  });
  const dialog = h("dialog.keep", { "aria-labelledby": "keep-heading" }, h("h2", { id: "keep-heading" }, t("Save photo")), list, sheet);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function whereKept(app, { id }, limit) {
  return app.api.get("/collections", { photo_id: id, limit });
}

function setSaved(app, { id }, saved) {
  return saved ? app.api.put(`/photos/${id}/save`) : app.api.delete(`/photos/${id}/save`);
}

function row(app, title, iconName, checked, change) {
  const input = h("input", { type: "checkbox", checked });
  input.addEventListener("change", async () => {
    input.disabled = true;
    try {
      await change(input.checked);
    } catch (error) {
      input.checked = !input.checked;
      app.toasts.error(error);
    } finally {
      input.disabled = false;
    }
  });
  return h("li", {}, h("label.check", {}, input, h("span", { dir: "auto" }, title), icon(iconName), iconName === "people" && visuallyHidden(t("public"))));
}

/** Ask for the title of a collection and who sees it; `save({title, public})` sends them. */
export function collectionDialog({ heading, action, collection = { title: "", public: false }, save }) {
  const title = field("title", t("Title"), { attributes: { maxlength: 60, value: collection.title } });
  const isPublic = h("input", { type: "checkbox", checked: collection.public });
  const check = {
    element: h("label.check", {}, isPublic, h("span", {}, h("b", {}, t("Public")), h("span.secondary.small", {}, t("Everyone who can see your photos can see the collection.")))),
    input: isPublic,
    name: "public",
    setError: () => {},
  };
  const sheet = form({
    inputs: [title, check],
    action,
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Cancel")),
    submit: async () => {
      await save({ title: title.input.value, public: isPublic.checked });
      dialog.close();
    },
  });
  const dialog = h("dialog.keep", { "aria-labelledby": "collection-heading" }, fill(h("h2", { id: "collection-heading" }), heading), sheet);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
