/** The field of the settings page for the avatar or the banner: what is shown, a new one, its removal. */

import { append, asSentence, fill, h, icon } from "../elements/dom.js";
import { PICTURE_TYPES } from "../elements/picture_types.js";
import { t } from "../elements/texts.js";
import { avatar } from "../users/user.js";

/** Delays between requests for the state of an upload; the last one is repeated. */
const POLL_DELAYS_MS = [300, 500, 1000, 2000, 4000];
const LABELS = { avatar: t("Profile picture"), banner: t("Banner") };
const CHOOSE = { avatar: t("Choose a profile picture"), banner: t("Choose a banner") };
const REMOVED = { avatar: t("Profile picture removed."), banner: t("Banner removed.") };

export class ProfileImageField {
  #app;
  #kind;
  #timer = null;
  #left = false;
  #picture = h("div.profile-image-picture");
  #status = h("p.small.secondary", { role: "status" });
  #error = h("p.error", { role: "alert", hidden: true });
  #input;
  #remove;

  constructor(app, kind) {
    this.#app = app;
    this.#kind = kind;
    const label = LABELS[kind];
    this.#input = h("input.visually-hidden", {
      type: "file",
      accept: PICTURE_TYPES.join(","),
      "aria-label": CHOOSE[kind],
      onchange: () => this.#upload(),
    });
    this.#remove = h("button.button.plain.compact", { type: "button", onclick: () => this.#delete() }, t("Remove"));
    const choose = h("button.button.plain.compact", { type: "button", onclick: () => this.#input.click() }, t("Choose a picture"));
    this.element = h(
      "div.profile-image",
      { data: { kind } },
      h("h2", {}, label),
      this.#picture,
      h("div.buttons", {}, choose, this.#remove, this.#input),
      this.#status,
      this.#error,
    );
    this.#draw();
    this.#poll(0, { announce: false });
  }

  leave() {
    this.#left = true;
    clearTimeout(this.#timer);
  }

  get #url() {
    return this.#app.session.user?.[`${this.#kind}_url`] ?? null;
  }

  get #path() {
    return `/users/me/${this.#kind}`;
  }

  #draw() {
    const user = this.#app.session.user;
    this.#remove.hidden = !this.#url;
    if (this.#kind === "avatar") fill(this.#picture, avatar(user, "huge"));
    else fill(this.#picture, banner(user) ?? h("div.banner.none", {}, icon("image"), h("span.secondary.small", {}, t("No banner yet"))));
  }

  async #upload() {
    const [file] = this.#input.files;
    this.#input.value = ""; // so that the same file can be chosen again
    if (!file) return;
    this.#show(t("Uploading…"));
    const body = new FormData();
    body.append("file", file);
    try {
      await this.#app.api.request("PUT", this.#path, { form: body });
      this.#show(t("Processing…"));
      this.#poll(0, { announce: true });
    } catch (error) {
      this.#fail(error.fields?.file ?? error.message);
    }
  }

  async #delete() {
    this.#show(t("Removing…"));
    try {
      await this.#app.api.delete(this.#path);
      this.#app.session.patch({ [`${this.#kind}_url`]: null });
      this.#show("");
      this.#draw();
      append(this.#status, [REMOVED[this.#kind]]);
    } catch (error) {
      this.#fail(error.message);
    }
  }

  /** Ask for the state until the upload is processed; without `announce` a finished one changes nothing. */
  #poll(attempt, { announce }) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      let status;
      try {
        status = await this.#app.api.get(this.#path);
      } catch (error) {
        if (announce) this.#fail(error.message);
        return;
      }
      if (this.#left) return;
      if (status.state === "processing") {
        this.#show(t("Processing…"));
        this.#poll(attempt + 1, { announce: true });
      } else if (status.state === "rejected") {
        this.#fail(t("The picture cannot be used: {reason}.", { reason: status.reason }));
      } else if (announce) {
        this.#app.session.patch({ [`${this.#kind}_url`]: status.url });
        this.#draw();
        this.#show(t("Saved."));
      }
    }, announce ? POLL_DELAYS_MS[Math.min(attempt, POLL_DELAYS_MS.length - 1)] : 0);
  }

  #show(text) {
    clearTimeout(this.#timer);
    this.#error.hidden = true;
    fill(this.#status, text);
  }

  #fail(message) {
    this.#show("");
    this.#error.hidden = false;
    fill(this.#error, asSentence(message));
  }
}

/** Return the banner of a user, or null. */
export function banner(user) {
  if (!user.banner_url) return null;
  const image = h("img", { src: user.banner_url, alt: "", decoding: "async" });
  const element = h("div.banner", {}, image);
  image.addEventListener("error", () => element.remove());
  return element;
}
