/** The page to choose, describe and share a photo. */

import { fill, h, icon } from "./dom.js";
import { field, form } from "./form.js";

const TYPES = ["image/jpeg", "image/png"];
/** The largest file in bytes; the server has the same limit. */
const MAX_BYTES = 10_000_000;

/** Create the page at "/new". */
export function uploadPage(app) {
  const page = new UploadPage(app);
  return { title: "New photo", element: page.element, wide: true, leave: () => page.leave() };
}

/** Return the reason why a file cannot be shared, or null. */
export function fileError(file) {
  if (!TYPES.includes(file.type)) return "Choose a JPEG or PNG photo.";
  if (file.size === 0) return "This file is empty.";
  if (file.size > MAX_BYTES) return `This photo has ${(file.size / 1e6).toFixed(1)} MB. The maximum is 10 MB.`;
  return null;
}

/** Return the tags in a text, each once: "#Sea, night sky" gives sea, night and sky. */
export function parseTags(text) {
  const words = text.split(/[\s,]+/).map((word) => word.replace(/^#+/, "").toLowerCase());
  return [...new Set(words.filter(Boolean))];
}

class UploadPage {
  #app;
  #file = null;
  #preview = null;
  #body = h("div.share");
  #error = h("p.form-error", { role: "alert", hidden: true });

  constructor(app) {
    this.#app = app;
    this.element = h("div", {}, h("div.page-head", {}, h("h1", {}, "New photo")), this.#body);
    this.#showPicker();
    const dropped = app.takeDropped();
    if (dropped) this.choose(dropped);
    app.addEventListener("dropped", this.#onDropped);
  }

  leave() {
    this.#app.removeEventListener("dropped", this.#onDropped);
    this.#releasePreview();
  }

  /** Choose a file, or show why it cannot be shared. */
  choose(file) {
    const problem = fileError(file);
    this.#error.textContent = problem ?? "";
    this.#error.hidden = !problem;
    if (problem) return;
    this.#releasePreview();
    this.#file = file;
    this.#preview = URL.createObjectURL(file);
    this.#showForm();
  }

  #onDropped = () => {
    const file = this.#app.takeDropped();
    if (file) this.choose(file);
  };

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
    const caption = field("caption", "Caption", { kind: "textarea", attributes: { maxlength: 2200, "data-focus": "" } });
    const altText = field("alt_text", "Description", {
      hint: "Describe the photo for people who cannot see it.",
      attributes: { maxlength: 1000 },
    });
    const tags = field("tags", "Tags", { hint: "For example: sea, evening", attributes: { autocapitalize: "none" } });
    const location = field("location", "Place", { hint: "Optional.", attributes: { maxlength: 100 } });
    const sheet = form({
      inputs: [caption, altText, tags, location],
      action: "Share",
      submit: async () => {
        this.#app.uploads.start({
          file: this.#file,
          caption: caption.input.value.trim(),
          altText: altText.input.value.trim(),
          tags: parseTags(tags.input.value),
          location: location.input.value.trim(),
        });
        this.#app.router.go("/", { replace: true });
      },
    });
    fill(this.#body, h("div.preview", {}, image, other), h("div", {}, this.#error, sheet));
    caption.input.focus({ preventScroll: true });
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
