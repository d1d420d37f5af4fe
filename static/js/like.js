/** The like button: answers the tap at once, and agrees with the server afterwards. */

import { fill, h, icon, unseen } from "./dom.js";

/**
 * What a viewer wants of a photo's like, against what the server knows.
 *
 * The wish shows at once. One request is under way at a time; if the wish changed meanwhile, the next request
 * follows. A refusal takes the wish back.
 */
export class Like {
  #app;
  #photo;
  #known;
  #busy = false;

  constructor(app, photo) {
    this.#app = app;
    this.#photo = photo;
    this.#known = { liked: photo.liked, likes: photo.likes };
  }

  /** Want the photo liked, or not. */
  set(liked) {
    if (liked === this.#photo.liked) return;
    this.#show({ liked, likes: Math.max(0, this.#photo.likes + (liked ? 1 : -1)) });
    if (!this.#busy) this.#send();
  }

  toggle() {
    this.set(!this.#photo.liked);
  }

  async #send() {
    this.#busy = true;
    try {
      while (this.#photo.liked !== this.#known.liked) {
        const wish = this.#photo.liked;
        const path = `/photos/${this.#photo.id}/like`;
        const answer = await (wish ? this.#app.api.put(path) : this.#app.api.delete(path));
        this.#known = { liked: answer.liked, likes: answer.likes };
        if (this.#photo.liked === wish) this.#show(this.#known);
      }
    } catch (error) {
      this.#show({ liked: this.#known.liked, likes: this.#known.likes });
      this.#app.toasts.error(error);
    } finally {
      this.#busy = false;
    }
  }

  #show(fields) {
    this.#app.photos.patch(this.#photo.id, fields);
  }
}

/** Return a like button with its count; call `update()` after `photo` changed. */
export function likeButton(photo, like) {
  const button = h("button.action.like", { type: "button", onclick: () => like.toggle() });
  const update = () => {
    const pressed = String(photo.liked);
    if (button.getAttribute("aria-pressed") === "false" && photo.liked) replay(button, "popped");
    button.setAttribute("aria-pressed", pressed);
    const words = photo.likes === 1 ? " like" : " likes";
    fill(button, icon("heart"), unseen("Like, "), h("span", {}, count(photo.likes)), unseen(words));
  };
  update();
  return { button, update };
}

/** Show a large heart over an element for a moment. */
export function burst(element) {
  const heart = h("div.burst", { "aria-hidden": "true" }, icon("heart"));
  element.append(heart);
  setTimeout(() => heart.remove(), 850);
}

/** Call `action` on a double tap or double click inside an element, and `single` if no second tap follows. */
export function onDoubleTap(element, action, single) {
  const WITHIN = 280; // milliseconds
  let waiting = null;
  element.addEventListener("click", (event) => {
    if (waiting) {
      clearTimeout(waiting);
      waiting = null;
      action(event);
    } else {
      waiting = setTimeout(() => {
        waiting = null;
        single?.(event);
      }, WITHIN);
    }
  });
}

/** Return a count as short as it is read: 999, 1.2K, 3M. */
export function count(number) {
  return new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 }).format(number);
}

function replay(element, name) {
  element.classList.remove(name);
  void element.offsetWidth; // restarts the animation
  element.classList.add(name);
}
