/** The motion of an animation, over the image of its first frame: it plays while it is visible, until it is paused. */

import { fill, h, icon } from "./dom.js";
import { setAttribute } from "./shown_texts.js";
import { t } from "./texts.js";

/** The part of an animation that is visible when it plays. */
const VISIBLE = 0.5;
/** In milliseconds, until an animation that cannot be loaded is tried again: it may still be being made. */
const RETRY_DELAY = 2000;
const MAX_TRIES = 5;

const observer = new IntersectionObserver((entries) => entries.forEach(visibilityChanged), { threshold: VISIBLE });
const motions = new WeakMap();

/**
 * Let the animation of a photo play in the frame that shows its first image; `refetch()` fetches the photo again.
 *
 * A photo without `images.motion` is left as it is.
 */
export function addMotion(frame, photo, { refetch = null } = {}) {
  if (!photo.images?.motion) return;
  motions.set(frame, new Motion(frame, photo, refetch));
  observer.observe(frame);
}

function visibilityChanged({ target, isIntersecting }) {
  motions.get(target)?.setVisible(isIntersecting);
}

/** Return whether animations play by themselves: not for users who want little motion, or few bytes. */
function playsByItself() {
  return !matchMedia("(prefers-reduced-motion: reduce)").matches && !navigator.connection?.saveData;
}

class Motion {
  #frame;
  #photo;
  #refetch;
  #button = h("button.motion-button", { type: "button", onclick: (event) => this.#toggle(event) });
  #image = null;
  #plays = playsByItself();
  #isVisible = false;
  #failures = 0;

  constructor(frame, photo, refetch) {
    this.#frame = frame;
    this.#photo = photo;
    this.#refetch = refetch;
    frame.append(this.#button);
    this.#show();
  }

  setVisible(isVisible) {
    this.#isVisible = isVisible;
    this.#show();
  }

  #toggle(event) {
    event.stopPropagation(); // a tap on the photo itself opens its page
    this.#plays = !this.#plays;
    this.#show();
  }

  #show() {
    setAttribute(this.#button, "aria-label", this.#plays ? t("Pause the animation") : t("Play the animation"));
    fill(this.#button, icon(this.#plays ? "pause" : "play"));
    if (!(this.#plays && this.#isVisible)) {
      this.#image?.remove();
      this.#image = null;
    } else if (!this.#image) {
      this.#start();
    }
  }

  #start() {
    // The image below it has the alternative text.
    const image = h("img.motion", { alt: "", draggable: "false", src: this.#photo.images.motion.webp });
    image.addEventListener("error", () => this.#failed(image), { once: true });
    this.#image = image;
    this.#button.before(image);
  }

  async #failed(image) {
    if (image !== this.#image) return;
    image.remove();
    this.#failures += 1;
    if (this.#failures === MAX_TRIES) {
      observer.unobserve(this.#frame);
      this.#button.remove();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
    // The address of a private photo may have expired. Without a new one, the next try is with the old one.
    const photo = await this.#refetch?.().catch(() => null);
    if (photo?.images?.motion) this.#photo = photo;
    if (image !== this.#image) return; // paused or out of sight meanwhile
    this.#image = null;
    this.#show();
  }
}
