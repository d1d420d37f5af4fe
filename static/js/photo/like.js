/** The like button: changes at once, and follows the server's response afterwards. */

import { fill, h, icon, visuallyHidden } from "../elements/dom.js";
import { OptimisticChange } from "../elements/optimistic_change.js";
import { number, t, tn, written } from "../elements/texts.js";

/** The viewer's like of a photo. */
export class Like {
  #app;
  #photo;
  /** The number of likes that the server has stated last. */
  #likes;
  #change = new OptimisticChange({
    send: (liked) => this.#send(liked),
    failed: (liked, error) => {
      this.#show({ liked, likes: this.#likes });
      this.#app.toasts.error(error);
    },
  });

  constructor(app, photo) {
    this.#app = app;
    this.#photo = photo;
    this.#likes = photo.likes;
  }

  /** Like or unlike the photo. */
  set(liked) {
    const before = this.#photo.liked;
    if (liked === before) return;
    this.#show({ liked, likes: Math.max(0, this.#photo.likes + (liked ? 1 : -1)) });
    this.#change.request(before, liked);
  }

  toggle() {
    this.set(!this.#photo.liked);
  }

  /** Whether the server does not know yet what is shown. */
  get isPending() {
    return this.#app.pending.wanted(`like:${this.#photo.id}`) !== undefined;
  }

  async #send(wanted) {
    const { id, author } = this.#photo;
    const name = `@${author.username}`;
    const text = String(wanted ? t("Like a photo of {name}", { name }) : t("Unlike a photo of {name}", { name }));
    const state = await this.#app.pending.switch({ subject: `like:${id}`, path: `/photos/${id}/like`, on: wanted, text });
    if (!state) return; // it is sent when there is a connection
    const { liked, likes } = state;
    this.#likes = likes;
    if (this.#photo.liked === wanted) this.#show({ liked, likes });
  }

  #show(fields) {
    this.#app.photos.patch(this.#photo.id, fields);
  }
}

/** Return `{button, update}`: a like button with its count. Call `update()` after `photo` has changed. */
export function likeButton(photo, like) {
  const button = h("button.action.like", { type: "button", onclick: () => like.toggle() });
  const update = () => {
    const pressed = String(photo.liked);
    if (button.getAttribute("aria-pressed") === "false" && photo.liked) replayAnimation(button, "popped");
    button.setAttribute("aria-pressed", pressed);
    button.toggleAttribute("data-pending", like.isPending);
    const likes = h("span", {}, count(photo.likes));
    const words = (text) => visuallyHidden(text);
    fill(button, icon("heart"), visuallyHidden(t("Like"), ", "), tn("{likes}<words> like</words>", "{likes}<words> likes</words>", photo.likes, { likes, words }));
  };
  update();
  return { button, update };
}

/** Show a large heart over an element for a moment. */
export function showHeart(element) {
  const heart = h("div.heart-burst", { "aria-hidden": "true" }, icon("heart"));
  element.append(heart);
  setTimeout(() => heart.remove(), 850);
}

/**
 * Call `action` on a double tap or double click inside an element, and `single` if no second tap follows. The events' own
 * times count: on a busy device both taps may be handled late.
 */
export function onDoubleTap(element, action, single) {
  const WITHIN = 280; // milliseconds
  let first = null;
  let waiting = 0;
  element.addEventListener("click", (event) => {
    if (first !== null && event.timeStamp - first <= WITHIN) {
      clearTimeout(waiting);
      first = null;
      action(event);
      return;
    }
    first = event.timeStamp;
    if (!single) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      first = null;
      single(event);
    }, WITHIN);
  });
}

/** Return the message of a count in compact form: 999, 1.2K, 3M. */
export function count(value) {
  return written(() => number(value, { notation: "compact", maximumFractionDigits: 1 }));
}

function replayAnimation(element, name) {
  element.classList.remove(name);
  void element.offsetWidth; // restarts the animation
  element.classList.add(name);
}
