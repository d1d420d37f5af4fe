/** The page where a photo is chosen, described and shared. */

import { fill, h, icon } from "./dom.js";
import { field, form } from "./form.js";

const TYPES = ["image/jpeg", "image/png"];
/** Largest file in bytes; the server says the same. */
const LARGEST = 10_000_000;

/** Make the page at "/new". */
export function uploadPage(app) {
  const page = new SharePage(app);
  return { title: "New photo", element: page.element, wide: true, leave: () => page.leave() };
}

/** Return why a file cannot be shared, or null. */
export function objection(file) {
  if (!TYPES.includes(file.type)) return "PicShare takes JPEG and PNG photos.";
  if (file.size === 0) return "This file is empty.";
  if (file.size > LARGEST) return `This photo has ${(file.size / 1e6).toFixed(1)} MB; at most 10 MB can be shared.`;
  return null;
}

/** Return tags from what a person typed: "#Sea, night sky" is sea, night and sky; each once. */
export function tagsOf(text) {
  const words = text.split(/[\s,]+/).map((word) => word.replace(/^#+/, "").toLowerCase());
  return [...new Set(words.filter(Boolean))];
}

class SharePage {
  #app;
  #file = null;
  #preview = null;
  #body = h("div.share");
  #complaint = h("p.form-error", { role: "alert", hidden: true });

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
    this.#forget();
  }

  /** Take a file, or say why not. */
  choose(file) {
    const problem = objection(file);
    this.#complaint.textContent = problem ?? "";
    this.#complaint.hidden = !problem;
    if (problem) return;
    this.#forget();
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
        h("p.small", {}, "JPEG or PNG, up to 10 MB. Where it was taken stays private."),
        picker.input,
        camera.input,
      ),
      this.#complaint,
    );
  }

  #fileInput(label, attributes) {
    const input = h("input.unseen", { type: "file", accept: TYPES.join(","), tabindex: "-1", "aria-label": label, ...attributes });
    input.addEventListener("change", () => input.files[0] && this.choose(input.files[0]));
    const button = h("button.button", { type: "button", onclick: () => input.click() }, label);
    return { input, button };
  }

  #showForm() {
    this.#body.classList.add("with-photo");
    const image = h("img", { src: this.#preview, alt: "The photo you chose" });
    image.addEventListener("error", () => image.replaceWith(h("p.quiet", {}, "No preview: the file may be damaged.")));
    const other = h("button.button.compact", { type: "button", onclick: () => this.#startOver() }, "Choose another");
    const caption = field("caption", "Caption", { kind: "textarea", attributes: { maxlength: 2200, "data-focus": "" } });
    const altText = field("alt_text", "Description", {
      hint: "What can be seen, for people who do not see it.",
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
          tags: tagsOf(tags.input.value),
          location: location.input.value.trim(),
        });
        this.#app.router.go("/", { replace: true });
      },
    });
    fill(this.#body, h("div.preview", {}, image, other), h("div", {}, this.#complaint, sheet));
    caption.input.focus({ preventScroll: true });
  }

  #startOver() {
    this.#forget();
    this.#showPicker();
  }

  #forget() {
    if (this.#preview) URL.revokeObjectURL(this.#preview);
    this.#preview = null;
    this.#file = null;
  }
}
