/** The pictures of a new photo, or of one that is edited: a preview, their order, and a description of each. */

import { fill, h, icon } from "../elements/dom.js";
import { isVideo } from "../elements/picture_types.js";
import { previewOf } from "../elements/preview.js";
import { t } from "../elements/texts.js";
import { canEdit } from "./picture_edits.js";

/** The most pictures of one photo; the server has the same limit. */
export const MAX_PICTURES = 10;

export class ChosenPictures {
  /** Objects {preview, altText}, with the `file` of a new one, the description `fromFile` of one that has it, and whatever else they were added with. */
  #list = [];
  #selected = 0;
  #altText;
  #changed;
  #preview = h("div.preview");
  #strip = h("ol.strip", { "aria-label": t("Pictures") });
  #earlier = this.#tool(t("Move earlier"), "back", () => this.#move(-1));
  #later = this.#tool(t("Move later"), "forward", () => this.#move(1));
  #remove = this.#tool(t("Remove picture"), "trash", () => this.#removeSelected());
  #tools = h("div.strip-tools", { role: "group", "aria-label": t("Selected picture") }, this.#earlier, this.#later, this.#remove);
  #crop = this.#tool(t("Crop and rotate"), "crop", () => this.#edit());
  #another;
  #add;
  #failed;
  /** Shown while the description is that of the file. */
  #note = h("p.hint", { id: "description-from-file", hidden: true }, t("This description is from the file. Change it if it does not fit."));
  element;

  /**
   * `altText` is the field for the description; `another` and `add` are buttons to choose another photo, and more, or
   * null. `changed()` is called after a change of the user, `failed(text)` if a picture cannot be cropped.
   */
  constructor(altText, { another, add, changed, failed = () => {} }) {
    this.#failed = failed;
    this.#altText = altText;
    this.#another = another;
    this.#add = add && h("span.add", {}, add);
    this.#changed = changed;
    this.element = h("div.chosen", {}, this.#preview, h("div.strip-row", {}, this.#strip, this.#add, this.#crop, this.#tools));
    altText.element.append(this.#note);
    altText.input.setAttribute("aria-describedby", `${altText.input.getAttribute("aria-describedby")} ${this.#note.id}`);
    altText.input.addEventListener("input", () => {
      if (this.size > 0) this.#list[this.#selected].altText = altText.input.value;
      this.#showNote();
      changed();
    });
  }

  get size() {
    return this.#list.length;
  }

  get all() {
    return this.#list;
  }

  /** Return why a file cannot be added, or null. */
  refusal(file) {
    if (this.size > 0 && (isVideo(file) || this.#list.some((chosen) => isVideo(chosen.file)))) return t("A video is a post of its own.");
    if (this.size >= MAX_PICTURES) return t("A photo can have ten pictures.");
    const chosen = this.#list.map((picture) => picture.original ?? picture.file);
    const same = ({ name, size, lastModified }) => name === file.name && size === file.size && lastModified === file.lastModified;
    return chosen.some(same) ? t("This picture was chosen already.") : null;
  }

  /** Add a picture {file, altText, …}, or {preview, altText, …} with the address of an image, and select it. */
  add(picture) {
    this.#list.push(picture.file ? { ...picture, preview: URL.createObjectURL(picture.file) } : picture);
    this.select(this.size - 1);
  }

  /** Select a picture by its place, so that its preview and description are shown. */
  select(place) {
    this.#selected = Math.max(0, Math.min(place, this.size - 1));
    this.#altText.input.value = this.#list[this.#selected]?.altText ?? "";
    this.#showNote();
    this.#draw();
  }

  #showNote() {
    const { altText, fromFile } = this.#list[this.#selected] ?? {};
    this.#note.hidden = !fromFile || altText !== fromFile;
  }

  /** Remove all pictures. */
  clear() {
    for (const picture of this.#list) release(picture);
    this.#list = [];
    this.select(0);
  }

  #move(step) {
    const place = this.#selected + step;
    if (place < 0 || place >= this.size) return;
    const [picture] = this.#list.splice(this.#selected, 1);
    this.#list.splice(place, 0, picture);
    this.select(place);
    this.#changed();
  }

  /** Crop and turn the selected picture. What was chosen is kept, so that every change can be undone until it is shared. */
  async #edit() {
    const picture = this.#list[this.#selected];
    const original = picture.original ?? picture.file;
    try {
      const { editPicture } = await import("./picture_editor.js");
      const edited = await editPicture(original, picture.changes);
      const place = this.#list.indexOf(picture);
      if (!edited || place < 0) return;
      release(picture);
      const { file, changes } = edited;
      // It is another file for the draft and for the server.
      Object.assign(picture, { id: null, url: null, uploadId: null, original, file, changes, preview: URL.createObjectURL(file) });
      this.select(place);
      this.#changed();
    } catch {
      this.#failed(t("This picture cannot be changed here. It can be shared as it is."));
    }
  }

  async #offerCrop(picture) {
    this.#crop.hidden = true;
    picture.canEdit ??= Boolean(picture.file) && (await canEdit(picture.original ?? picture.file));
    if (picture === this.#list[this.#selected]) this.#crop.hidden = !picture.canEdit;
  }

  #removeSelected() {
    const [removed] = this.#list.splice(this.#selected, 1);
    release(removed);
    this.select(this.#selected);
    this.#changed();
    if (this.size === 1) (this.#another ?? this.#altText.input).focus();
  }

  #draw() {
    const several = this.size > 1;
    const current = this.#list[this.#selected];
    const place = { place: this.#selected + 1, count: this.size };
    const isFilm = Boolean(current?.file && isVideo(current.file));
    if (this.#add) this.#add.hidden = isFilm;
    fill(this.#altText.element.querySelector("label"), several ? t("Description of picture {place} of {count}", place) : t("Description"));
    this.#tools.hidden = this.#strip.hidden = !several;
    this.#earlier.setAttribute("aria-disabled", String(this.#selected === 0));
    this.#later.setAttribute("aria-disabled", String(this.#selected === this.size - 1));
    if (!current) return;
    this.#offerCrop(current);
    const image = previewOf(current, {
      alt: several ? t("Picture {place} of {count}", place) : isFilm ? t("The video you chose") : t("The photo you chose"),
      failed: (element) => element.replaceWith(h("p.secondary", {}, t("No preview. The file may be damaged."))),
    });
    fill(this.#preview, image, !several && this.#another);
    const hadFocus = this.#strip.contains(document.activeElement);
    fill(this.#strip, this.#list.map((picture, index) => h("li", {}, this.#thumb(picture, index))));
    if (hadFocus) this.#strip.querySelector("[aria-pressed=true]").focus();
  }

  #thumb({ file, preview }, index) {
    const image = previewOf({ file, preview }, { alt: "", failed: (element) => element.replaceWith(icon("image")) });
    const place = { place: index + 1, count: this.size };
    const label = file ? t("Picture {place} of {count}: {file}", { ...place, file: file.name }) : t("Picture {place} of {count}", place);
    return h("button.thumb", { type: "button", "aria-label": label, "aria-pressed": String(index === this.#selected), onclick: () => this.select(index) }, image);
  }

  #tool(label, iconName, action) {
    return h("button.icon-button", { type: "button", "aria-label": label, onclick: action }, icon(iconName));
  }
}

function release({ file, preview }) {
  if (file) URL.revokeObjectURL(preview);
}
