/** The page to choose, describe and share a photo. */

import { fill, h, icon } from "./dom.js";
import { field, form } from "./form.js";

const TYPES = ["image/jpeg", "image/png"];
/** The first bytes of these types. */
const SIGNATURES = [
  [0xff, 0xd8, 0xff],
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
];
/** The largest file in bytes; the server has the same limit. */
const MAX_BYTES = 10_000_000;

/** Create the page at "/new". */
export function uploadPage(app) {
  const page = new UploadPage(app);
  return { title: "New photo", element: page.element, wide: true, leave: () => page.leave() };
}

/** Return the reason why a file cannot be shared, or null. */
export async function fileError(file) {
  if (file.size === 0) return "This file is empty.";
  // Browsers derive the type from the name. A photo without an extension, or with another one, is still a photo.
  if (!TYPES.includes(file.type) && !(await beginsLikePhoto(file))) return "Choose a JPEG or PNG photo.";
  if (file.size > MAX_BYTES) return `This photo has ${(file.size / 1e6).toFixed(1)} MB. The maximum is 10 MB.`;
  return null;
}

/** Return whether a file begins with the signature of a JPEG or PNG, as the server requires. */
async function beginsLikePhoto(file) {
  const start = [...new Uint8Array(await file.slice(0, 8).arrayBuffer())];
  return SIGNATURES.some((signature) => signature.every((byte, position) => start[position] === byte));
}

/**
 * Return the tags in a text, each once: "#Sea, night sky" gives sea, night and sky.
 *
 * The commas and number signs of other scripts count as well. Which words are tags is for the server to decide.
 */
export function parseTags(text) {
  const words = text.split(/[\s,\u060c\u3001\uff0c]+/).map((word) => word.replace(/^[#\ufe5f\uff03]+/, "").toLowerCase());
  return [...new Set(words.filter(Boolean))];
}

class UploadPage {
  #app;
  #file = null;
  #preview = null;
  #body = h("div.share");
  #error = h("p.form-error", { role: "alert", hidden: true });
  #fields = createFields();
  #form;
  /** The refused upload that is edited here, or null. */
  #refused;

  constructor(app) {
    this.#app = app;
    this.#refused = app.takeRefused();
    this.element = h("div", {}, h("div.page-head", {}, h("h1", {}, "New photo")), this.#body);
    // The form outlives the choice of another photo, so that no text has to be written twice.
    this.#form = form({
      inputs: Object.values(this.#fields),
      action: "Share",
      submit: async () => this.#share(),
      error: this.#refused?.error,
    });
    if (this.#refused) this.#restore(this.#refused.content);
    else this.#showPicker();
    const dropped = app.takeDropped();
    if (dropped) this.choose(dropped);
    app.addEventListener("dropped", this.#onDropped);
  }

  leave() {
    this.#app.removeEventListener("dropped", this.#onDropped);
    this.#releasePreview();
  }

  /** Choose a file, or show why it cannot be shared. */
  async choose(file) {
    const problem = await fileError(file);
    this.#error.textContent = problem ?? "";
    this.#error.hidden = !problem;
    if (problem) return;
    this.#setPhoto(file);
    this.#fields.caption.input.focus({ preventScroll: true });
  }

  #onDropped = () => {
    const file = this.#app.takeDropped();
    if (file) this.choose(file);
  };

  /** Show a refused upload as it was filled in. */
  #restore({ file, caption, altText, tags, location }) {
    const { caption: captionField, altText: altTextField, tags: tagsField, location: locationField } = this.#fields;
    captionField.input.value = caption;
    altTextField.input.value = altText;
    tagsField.input.value = tags.join(", ");
    locationField.input.value = location;
    this.#setPhoto(file);
  }

  #share() {
    const { caption, altText, tags, location } = this.#fields;
    this.#refused?.dismiss();
    this.#app.uploads.start({
      file: this.#file,
      caption: caption.input.value.trim(),
      altText: altText.input.value.trim(),
      tags: parseTags(tags.input.value),
      location: location.input.value.trim(),
    });
    this.#app.router.go("/", { replace: true });
  }

  #setPhoto(file) {
    this.#releasePreview();
    this.#file = file;
    this.#preview = URL.createObjectURL(file);
    this.#showForm();
  }

  #showPicker() {
    this.#body.classList.remove("with-photo");
    const picker = this.#fileInput("Choose a photo", {});
    const camera = this.#fileInput("Take a photo", { capture: "environment" });
    camera.button.classList.add("camera-only", "plain");
    fill(
      this.#body,
      h(
        "div.picker",
        {},
        icon("image"),
        h("p", {}, "Drop a photo here, or"),
        h("div.choices", {}, picker.button, camera.button),
        h("p.small", {}, "JPEG or PNG, up to 10 MB. Location data in the file stays private."),
        picker.input,
        camera.input,
      ),
      this.#error,
    );
  }

  #fileInput(label, attributes) {
    const input = h("input.visually-hidden", { type: "file", accept: TYPES.join(","), tabindex: "-1", "aria-label": label, ...attributes });
    input.addEventListener("change", () => input.files[0] && this.choose(input.files[0]));
    const button = h("button.button", { type: "button", onclick: () => input.click() }, label);
    return { input, button };
  }

  #showForm() {
    this.#body.classList.add("with-photo");
    const image = h("img", { src: this.#preview, alt: "The photo you chose" });
    image.addEventListener("error", () => image.replaceWith(h("p.secondary", {}, "No preview. The file may be damaged.")));
    const other = h("button.button.compact", { type: "button", onclick: () => this.#startOver() }, "Choose another photo");
    fill(this.#body, h("div.preview", {}, image, other), h("div", {}, this.#error, this.#form));
  }

  #startOver() {
    this.#releasePreview();
    this.#showPicker();
  }

  #releasePreview() {
    if (this.#preview) URL.revokeObjectURL(this.#preview);
    this.#preview = null;
    this.#file = null;
  }
}

function createFields() {
  return {
    caption: field("caption", "Caption", { kind: "textarea", attributes: { maxlength: 2200, "data-focus": "" } }),
    altText: field("alt_text", "Description", {
      hint: "Describe the photo for people who cannot see it.",
      attributes: { maxlength: 1000 },
    }),
    tags: field("tags", "Tags", { hint: "For example: sea, evening", attributes: { autocapitalize: "none" } }),
    location: field("location", "Place", { hint: "Optional.", attributes: { maxlength: 100 } }),
  };
}
