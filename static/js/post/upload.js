/** The page to choose, describe and share a photo of one picture or several, or a video. */

import { audienceField, rememberAudience, rememberedAudience } from "./audience.js";
import { draftOffer } from "./draft_offer.js";
import { ChosenPictures } from "./chosen_pictures.js";
import { descriptionOf } from "./file_description.js";
import { fill, h, icon } from "../elements/dom.js";
import { checkbox, field, form } from "../elements/form.js";
import { TextCompletion } from "../users/text_completion.js";
import { PICTURE_TYPES, VIDEO_TYPES, beginsLikePicture, isVideo } from "../elements/picture_types.js";
import { number, t, written } from "../elements/texts.js";

/** The largest file of a photo and of a video in bytes; the server has the same limits. */
const MAX_BYTES = 25_000_000;
const MAX_VIDEO_BYTES = 100_000_000;

/** Create the page at "/new". */
export function uploadPage(app) {
  const page = new UploadPage(app);
  return { title: t("New photo"), element: page.element, wide: true, leave: () => page.leave() };
}

/** Return the reason why a file cannot be shared, or null. */
export async function fileError(file) {
  if (file.size === 0) return t("This file is empty.");
  // Browsers derive the type from the name. A photo without an extension, or with another one, is still a photo.
  if (isVideo(file)) return file.size > MAX_VIDEO_BYTES ? t("This video has {size} MB. The maximum is 100 MB.", { size: megabytes(file) }) : null;
  if (!PICTURE_TYPES.includes(file.type) && !(await beginsLikePicture(file))) return t("Choose a photo, JPEG, PNG, WebP, AVIF or GIF, or an MP4 video.");
  if (file.size > MAX_BYTES) return t("This photo has {size} MB. The maximum is 25 MB.", { size: megabytes(file) });
  return null;
}

function megabytes({ size }) {
  return written(() => number(size / 1e6, { minimumFractionDigits: 1, maximumFractionDigits: 1 }));
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
  #body = h("div.share");
  #error = h("p.form-error", { role: "alert", hidden: true });
  #fields;
  #pictures;
  #form;
  #more;
  /** The refused upload that is edited here, or null. */
  #refused;
  #draft;

  constructor(app) {
    this.#app = app;
    this.#fields = photoFields(app, rememberedAudience(app.session));
    this.#draft = app.draft;
    this.#refused = app.takeRefused();
    this.element = h("div", {}, h("div.page-head", {}, h("h1", {}, t("New photo"))), this.#body);
    // The form outlives the choice of another photo, so that no text has to be written twice.
    this.#form = form({
      inputs: Object.values(this.#fields),
      action: t("Share"),
      submit: async () => this.#share(),
      error: this.#refused?.error,
    });
    this.#form.addEventListener("input", () => this.#draft.saveTexts(this.#texts()));
    this.#more = this.#fileInput(t("Add photos"), { multiple: true });
    this.#more.button.classList.add("plain", "compact");
    this.#pictures = new ChosenPictures(this.#fields.altText, {
      another: h("button.button.compact", { type: "button", onclick: () => this.#removePictures() }, t("Choose another photo")),
      add: [this.#more.button, this.#more.input],
      changed: () => this.#draft.savePictures(this.#pictures.all),
      failed: (text) => this.#showError(text),
    });
    const dropped = app.takeDropped();
    if (this.#refused) this.#restore(this.#refused.content);
    else this.#showPicker();
    if (!this.#refused && this.#draft.texts) this.#fill(this.#draft.texts);
    const shared = app.takeShared();
    if (dropped) this.choose(dropped);
    else if (shared) this.#chooseShared(shared);
    else if (!this.#refused) this.#restoreDraft();
    app.addEventListener("dropped", this.#onDropped);
  }

  leave() {
    this.#app.removeEventListener("dropped", this.#onDropped);
    this.#pictures.clear();
  }

  /** Add files, and show why some of them cannot be shared. */
  async choose(files) {
    const problems = [];
    // A description that was typed before a photo was chosen is that of the first one.
    let altText = this.#pictures.size === 0 ? this.#fields.altText.input.value : "";
    for (const file of files) {
      const problem = (await fileError(file)) ?? this.#pictures.refusal(file);
      if (problem) problems.push(files.length > 1 ? t("{file}: {problem}", { file: file.name, problem }) : problem);
      else {
        const fromFile = altText ? "" : await descriptionOf(file);
        this.#pictures.add({ file, altText: altText || fromFile, fromFile });
        altText = "";
      }
    }
    this.#showError(...problems);
    if (problems.length === files.length) return;
    this.#draft.savePictures(this.#pictures.all);
    this.#showForm();
    this.#fields.caption.input.focus({ preventScroll: true });
  }

  #showError(...texts) {
    fill(this.#error, texts.map((text) => [text, " "]));
    this.#error.hidden = texts.length === 0;
  }

  async #chooseShared(promised) {
    const shared = await promised;
    if (!shared) {
      this.#restoreDraft();
      return;
    }
    // What was written before stays.
    const { input } = this.#fields.caption;
    if (input.value === "") input.value = shared.text.slice(0, input.maxLength);
    this.#draft.saveTexts(this.#texts());
    if (shared.files.length > 0) await this.choose(shared.files);
  }

  #onDropped = () => {
    const files = this.#app.takeDropped();
    if (files) this.choose(files);
  };

  /** Show a refused upload as it was filled in. */
  #restore({ pictures, caption, tags, location, audience = "public", sensitive = false }) {
    this.#fill({ caption, tags: tags.join(", "), location, audience, sensitive });
    for (const picture of pictures) this.#pictures.add(picture);
    this.#pictures.select(0);
    this.#showForm();
  }

  /** Show what was not shared before the page was left or loaded again, or offer the draft of a tab that was closed. */
  async #restoreDraft() {
    const pictures = await this.#draft.loadPictures();
    // The user may have chosen others meanwhile.
    if (this.#pictures.size > 0) return;
    if (pictures.length === 0) {
      const other = await this.#draft.findOther();
      if (other && this.#pictures.size === 0) this.#body.prepend(this.#offer(other));
      return;
    }
    for (const picture of pictures) this.#pictures.add(picture);
    this.#pictures.select(0);
    this.#showForm();
  }

  #offer(draft) {
    const go = () => {
      this.#draft.take(draft);
      if (draft.texts) this.#fill(draft.texts);
      offer.remove();
      this.#restoreDraft();
    };
    const discard = () => {
      this.#draft.discard(draft);
      offer.remove();
    };
    const offer = draftOffer(draft, { go, discard });
    return offer;
  }

  #texts() {
    return Object.fromEntries(Object.values(this.#fields).map(({ name, input }) => [name, input.type === "checkbox" ? input.checked : input.value]));
  }

  #fill(texts) {
    for (const { name, input } of Object.values(this.#fields)) {
      if (input.type === "checkbox") input.checked = Boolean(texts[name]);
      else if (name in texts) input.value = texts[name];
    }
  }

  #share() {
    const { caption, tags, location, audience, sensitive } = this.#texts();
    rememberAudience(this.#app.session, audience);
    const content = {
      pictures: this.#pictures.all.map(({ file, altText, url = null, uploadId = null }) => ({ file, altText: altText.trim(), url, uploadId })),
      caption: caption.trim(),
      tags: parseTags(tags),
      location: location.trim(),
      audience,
      sensitive,
    };
    this.#refused?.dismiss();
    this.#draft.clear();
    this.#app.uploads.start(content);
    this.#app.router.go("/", { replace: true });
  }

  #showPicker() {
    this.#body.classList.remove("with-photo");
    const picker = this.#fileInput(t("Choose a photo"), { multiple: true });
    const camera = this.#fileInput(t("Take a photo"), { capture: "environment", accept: PICTURE_TYPES.join(",") });
    camera.button.classList.add("camera-only", "plain");
    fill(
      this.#body,
      h(
        "div.picker",
        {},
        icon("image"),
        h("p", {}, t("Drop photos here, or")),
        h("div.choices", {}, picker.button, camera.button),
        h("p.small", {}, t("JPEG, PNG, WebP, AVIF or GIF, up to 25 MB, up to ten in one post; or an MP4 video of a minute at most. Location data in the file stays private.")),
        picker.input,
        camera.input,
      ),
      this.#error,
    );
  }

  #fileInput(label, attributes) {
    const input = h("input.visually-hidden", { type: "file", accept: [...PICTURE_TYPES, ...VIDEO_TYPES].join(","), tabindex: "-1", "aria-label": label, ...attributes });
    input.addEventListener("change", () => {
      const files = [...input.files];
      // The same file may be chosen again, after it was removed.
      input.value = "";
      if (files.length > 0) this.choose(files);
    });
    const button = h("button.button", { type: "button", onclick: () => input.click() }, label);
    return { input, button };
  }

  #showForm() {
    if (this.#body.classList.contains("with-photo")) return;
    this.#body.classList.add("with-photo");
    const discard = h("button.button.plain.full", { type: "button", onclick: () => this.#discard() }, t("Discard"));
    fill(this.#body, this.#pictures.element, h("div.share-form", {}, this.#error, this.#form, discard));
  }

  /** Go back to the choice of a photo; its description stays, like the other texts. */
  #removePictures() {
    const altText = this.#fields.altText.input.value;
    this.#pictures.clear();
    this.#draft.savePictures([]);
    this.#fields.altText.input.value = altText;
    this.#showPicker();
  }

  /** Empty the form. A refused upload that is edited here stays in the tray. */
  #discard() {
    this.#removePictures();
    this.#draft.clear();
    this.#refused = null;
    this.#form.reset();
    for (const { setError } of Object.values(this.#fields)) setError(null);
  }
}

/** Return the fields that describe a photo, in which names and tags are completed, and the choice of who can see it. */
export function photoFields(app, audience) {
  const fields = describingFields(audience);
  fields.caption.element.append(new TextCompletion(app, fields.caption.input).list);
  fields.tags.element.append(new TextCompletion(app, fields.tags.input, { onlyTags: true }).list);
  return fields;
}

function describingFields(audience) {
  return {
    caption: field("caption", t("Caption"), { kind: "textarea", attributes: { maxlength: 2200, "data-focus": "" } }),
    altText: field("alt_text", t("Description"), {
      hint: t("It helps people who cannot see the photo. You can leave it out."),
      attributes: { maxlength: 1000 },
    }),
    tags: field("tags", t("Tags"), { hint: t("For example: sea, evening"), attributes: { autocapitalize: "none" } }),
    location: field("location", t("Place"), { hint: t("Optional."), attributes: { maxlength: 100 } }),
    audience: audienceField(audience),
    sensitive: checkbox("sensitive", t("Sensitive"), t("Blurred until the viewer wants to see it."), false),
  };
}
