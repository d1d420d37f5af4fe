/** The dialogs of lists: their title, in which lists an account is, and the menu of a list. */

import { confirmDialog, fill, h } from "../elements/dom.js";
import { field, form } from "../elements/form.js";
import { t } from "../elements/texts.js";
import { menu } from "../elements/menu.js";

const TITLE_LENGTH = 80;

/** Ask for the title of a list; `save(title)` sends it. */
export function listDialog({ heading, action, title = "", save }) {
  const input = field("title", t("Title"), { attributes: { maxlength: TITLE_LENGTH, value: title, dir: "auto" } });
  const sheet = form({
    inputs: [input],
    action,
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Cancel")),
    submit: async () => {
      await save(input.input.value);
      dialog.close();
    },
  });
  const dialog = open("list-heading", heading, sheet);
}

/** Open the dialog with the user's lists, in which each can get an account or lose it. */
export async function listsOfUserDialog(app, user) {
  let containing;
  try {
    [{ items: containing }] = await Promise.all([app.api.get(`/users/${user.id}/lists`), app.lists.load()]);
  } catch (error) {
    app.toasts.error(error);
    return;
  }
  const rows = h("ul.keep-list");
  const none = h("p.secondary.small", {}, t("You have no lists yet."));
  const add = (list, member) => {
    rows.append(row(app, list, user, member));
    none.hidden = true;
  };
  for (const list of app.lists.items) add(list, containing.some(({ id }) => id === list.id));
  const title = field("title", t("New list"), { attributes: { maxlength: TITLE_LENGTH, dir: "auto" } });
  const sheet = form({
    inputs: [title],
    action: t("Create and add"),
    extra: h("button.button.plain.full", { type: "button", onclick: () => dialog.close() }, t("Done")),
    submit: async () => {
      const created = await app.lists.create(title.input.value);
      title.input.value = "";
      // It is shown first, because it is there even if the account cannot be added.
      add(created, false);
      await app.lists.setMember(created, user, true);
      rows.lastElementChild.querySelector("input").checked = true;
    },
  });
  const dialog = open("list-heading", t("Lists with {name}", { name: `@${user.username}` }), none, rows, sheet);
}

/** Return a button with the menu of a list; `deleted()` is called after it was deleted. */
export function listMenu(app, list, deleted) {
  const rename = () =>
    listDialog({ heading: t("Rename list"), action: t("Save"), title: list.title, save: (title) => app.lists.rename(list, title) });
  const remove = async () => {
    const agreed = await confirmDialog({ heading: t("Delete this list?"), text: t("Nothing changes for the people in it."), action: t("Delete") });
    if (!agreed) return;
    try {
      await app.lists.delete(list);
      deleted();
    } catch (error) {
      app.toasts.error(error);
    }
  };
  return menu(t("Options of {title}", { title: list.title }), [
    ["people", t("People in this list"), () => app.router.go(`/lists/${list.id}/accounts`)],
    ["pencil", t("Rename list"), rename],
    ["trash", t("Delete list"), remove, "danger"],
  ]);
}

function row(app, list, user, checked) {
  const input = h("input", { type: "checkbox", checked });
  input.addEventListener("change", async () => {
    input.disabled = true;
    try {
      await app.lists.setMember(list, user, input.checked);
    } catch (error) {
      input.checked = !input.checked;
      app.toasts.error(error);
    } finally {
      input.disabled = false;
    }
  });
  return h("li", {}, h("label.check", {}, input, h("span", {}, h("bdi", {}, list.title))));
}

function open(id, heading, ...content) {
  const dialog = h("dialog.keep", { "aria-labelledby": id }, fill(h("h2", { id }), heading), content);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
