/** The dialog in which a picture is cropped and turned before it is uploaded: by pointer, by touch and by keys. */

import { fill, h, icon } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { drawTurned, editedFile, movedCrop, squareCrop, turnedCrop, UNCHANGED, WHOLE } from "./picture_edits.js";

/** The picture is drawn with at most so many pixels on a side. */
const PREVIEW = 1200;
/** What an arrow key moves by, as a part of the picture; with Shift more. */
const STEP = 0.01;
const LARGE_STEP = 0.1;
/** The properties of the sides, in a stage that is written from left to right. */
const INSETS = { left: "inset-inline-start", top: "inset-block-start", right: "inset-inline-end", bottom: "inset-block-end" };
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
/** The parts of the frame that can be moved: the sides that each moves, and its name. */
const HANDLES = [
  [["left", "top", "right", "bottom"], t("Selection: move by the arrow keys")],
  [["left", "top"], t("Corner at the top left: move by the arrow keys")],
  [["right", "top"], t("Corner at the top right: move by the arrow keys")],
  [["left", "bottom"], t("Corner at the bottom left: move by the arrow keys")],
  [["right", "bottom"], t("Corner at the bottom right: move by the arrow keys")],
];

/**
 * Change a picture; resolves to `{file, changes}`, or null if the user changes nothing.
 *
 * `original` is the file as it was chosen, and `changes` are those that were made to it before. Rejects if the browser cannot read it.
 */
export async function editPicture(original, changes = UNCHANGED) {
  const bitmap = await createImageBitmap(original, { imageOrientation: "from-image" });
  return new PictureEditor(original, bitmap, changes).open();
}

class PictureEditor {
  #original;
  #bitmap;
  #changes;
  #before = [];
  #canvas = h("canvas", { role: "img", "aria-label": t("The picture") });
  #frame = h("div.crop-frame");
  #stage = h("div.crop-stage", { dir: "ltr" }, this.#canvas, this.#frame);
  #status = h("p.secondary.small", { role: "status" });
  #undo = this.#tool(t("Undo"), "undo", () => this.#takeBack());
  #error = h("p.form-error", { role: "alert", hidden: true });
  #dialog;

  constructor(original, bitmap, changes) {
    this.#original = original;
    this.#bitmap = bitmap;
    this.#changes = changes;
    fill(this.#frame, HANDLES.map(([sides, name]) => this.#handle(sides, name)));
  }

  open() {
    return new Promise((resolve) => {
      const apply = async () => {
        try {
          resolve({ file: await editedFile(this.#original, this.#bitmap, this.#changes), changes: this.#changes });
          this.#dialog.close();
        } catch (error) {
          this.#error.textContent = error.message;
          this.#error.hidden = false;
        }
      };
      this.#dialog = this.#draw(apply);
      this.#dialog.addEventListener("close", () => {
        this.#dialog.remove();
        this.#bitmap.close();
        resolve(null);
      });
      document.body.append(this.#dialog);
      this.#dialog.showModal();
      this.#show();
    });
  }

  #draw(apply) {
    const tools = [
      this.#tool(t("Rotate left"), "rotateLeft", () => this.#turn(3)),
      this.#tool(t("Rotate right"), "rotateRight", () => this.#turn(1)),
      this.#undo,
      h("button.button.plain.compact", { type: "button", onclick: () => this.#crop(squareCrop(this.#canvas.width, this.#canvas.height)) }, t("Square")),
      h("button.button.plain.compact", { type: "button", onclick: () => this.#set(UNCHANGED) }, t("Original")),
    ];
    return h(
      "dialog.crop",
      { "aria-labelledby": "crop-heading" },
      h("h2", { id: "crop-heading" }, t("Crop and rotate")),
      this.#stage,
      h("div.crop-tools", { role: "toolbar", "aria-label": t("Tools") }, tools),
      this.#status,
      this.#error,
      h(
        "div.dialog-actions",
        {},
        h("button.button.plain", { type: "button", onclick: () => this.#dialog.close() }, t("Cancel")),
        h("button.button", { type: "button", onclick: apply }, t("Apply")),
      ),
    );
  }

  #tool(label, iconName, action) {
    return h("button.icon-button", { type: "button", "aria-label": label, title: label, onclick: action }, icon(iconName));
  }

  #handle(sides, name) {
    const type = sides.length === 4 ? "button.crop-selection" : "button.crop-corner";
    const handle = h(type, { type: "button", "aria-label": name, data: { sides: sides.join(" ") } });
    handle.addEventListener("pointerdown", (event) => this.#dragged(event, handle, sides));
    handle.addEventListener("keydown", (event) => {
      const direction = KEYS[event.key];
      if (!direction || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const step = event.shiftKey ? LARGE_STEP : STEP;
      this.#crop(movedCrop(this.#changes.crop, sides, direction[0] * step, direction[1] * step));
    });
    return handle;
  }

  #dragged(start, handle, sides) {
    if (start.button !== 0) return;
    const { crop } = this.#changes;
    const { width, height } = this.#canvas.getBoundingClientRect();
    const move = (event) => {
      this.#changes = { ...this.#changes, crop: movedCrop(crop, sides, (event.clientX - start.clientX) / width, (event.clientY - start.clientY) / height) };
      this.#place();
    };
    const end = () => {
      handle.removeEventListener("pointermove", move);
      const { crop: moved } = this.#changes;
      this.#changes = { ...this.#changes, crop };
      this.#crop(moved);
    };
    handle.setPointerCapture(start.pointerId);
    handle.addEventListener("pointermove", move);
    handle.addEventListener("lostpointercapture", end, { once: true });
  }

  #turn(quarters) {
    let { crop } = this.#changes;
    for (let turn = 0; turn < quarters; turn++) crop = turnedCrop(crop);
    this.#set({ turns: (this.#changes.turns + quarters) % 4, crop });
  }

  #crop(crop) {
    this.#set({ ...this.#changes, crop });
  }

  #set(changes) {
    this.#before.push(this.#changes);
    this.#changes = changes;
    this.#show();
  }

  #takeBack() {
    if (this.#before.length === 0) return;
    this.#changes = this.#before.pop();
    this.#show();
  }

  #show() {
    drawTurned(this.#canvas, this.#bitmap, this.#changes.turns, PREVIEW);
    this.#undo.setAttribute("aria-disabled", String(this.#before.length === 0));
    this.#place();
  }

  #place() {
    const { turns, crop } = this.#changes;
    for (const side of Object.keys(WHOLE)) {
      const distance = side === "left" || side === "top" ? crop[side] : 1 - crop[side];
      this.#frame.style.setProperty(INSETS[side], `${100 * distance}%`);
    }
    const [width, height] = turns % 2 === 0 ? [this.#bitmap.width, this.#bitmap.height] : [this.#bitmap.height, this.#bitmap.width];
    const size = { width: Math.round((crop.right - crop.left) * width), height: Math.round((crop.bottom - crop.top) * height) };
    fill(this.#status, t("{width} × {height} pixels", size));
  }
}
