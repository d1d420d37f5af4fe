/** The places in the page that show messages, which are written again when the language changes. */

import { Message, languageChanges } from "./texts.js";

/** References to the places; what shows a message keeps its place alive. */
const shown = new Set();
const placesOfNodes = new WeakMap();
const placesOfAttributes = new WeakMap();
/** So many references are there before those to removed places are dropped. */
let bound = 1000;

languageChanges.addEventListener("change", () => {
  for (const reference of [...shown]) reference.deref()?.renew();
});

/** Return the nodes of a message, which stay up to date. */
export function nodesOf(message) {
  const place = new ShownNodes(message);
  remember(place);
  return place.nodes;
}

/** Set an attribute to a string, or to a message, which stays up to date. */
export function setAttribute(element, name, value) {
  const places = placesOfAttributes.get(element) ?? {};
  element.setAttribute(name, String(value));
  places[name] = value instanceof Message ? new ShownAttribute(element, name, value) : null;
  placesOfAttributes.set(element, places);
  if (places[name]) remember(places[name]);
}

function remember(place) {
  shown.add(new WeakRef(place));
  if (shown.size < bound) return;
  for (const reference of shown) if (!reference.deref()) shown.delete(reference);
  bound = Math.max(1000, 2 * shown.size);
}

class ShownNodes {
  #message;
  nodes;

  constructor(message) {
    this.#message = message;
    this.#make();
  }

  #make() {
    const parts = this.#message.parts();
    const whole = parts.every((part) => typeof part === "string") ? [parts.join("")] : parts;
    this.nodes = whole.map((part) => (typeof part === "string" ? document.createTextNode(part) : part));
    for (const node of this.nodes) placesOfNodes.set(node, this);
  }

  /** Write the message again, unless its nodes were removed or replaced by now. */
  renew() {
    const former = this.nodes;
    const parent = former[0].parentNode;
    if (!parent || former.some((node) => node.parentNode !== parent)) return;
    const mark = document.createTextNode("");
    former[0].before(mark);
    for (const node of former) node.remove();
    this.#make();
    mark.replaceWith(...this.nodes);
  }
}

class ShownAttribute {
  #element;
  #name;
  #message;
  #last;

  constructor(element, name, message) {
    this.#element = element;
    this.#name = name;
    this.#message = message;
    this.#last = element.getAttribute(name);
  }

  /** Write the message again, unless the attribute was set otherwise by now. */
  renew() {
    if (this.#element.getAttribute(this.#name) !== this.#last) return;
    this.#last = String(this.#message);
    this.#element.setAttribute(this.#name, this.#last);
  }
}
