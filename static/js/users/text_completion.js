/** Offer users while "@…" and tags while "#…" is typed into a field (the combobox pattern of the ARIA practices guide). */

import { fill, h } from "../elements/dom.js";
import { t, tn } from "../elements/texts.js";
import { avatar, displayName } from "./user.js";

/** A search is sent after this time without a keystroke, in milliseconds. */
const TYPING_PAUSE_MS = 250;
const MAX_OFFERS = 5;

/** What is offered: how its name begins before the caret, where the server finds it (`storage/entities.py`), and what it is. */
const USERS = { type: "users", beginning: /(?<![\p{L}\p{N}_.%+\-/@])@([A-Za-z0-9_.]{1,30})$/u, name: ({ username }) => username, draw: userRow };
const TAGS = { type: "tags", beginning: /(?<![\p{L}\p{N}_&/#])[#\ufe5f\uff03]([\p{L}\p{N}\p{M}_\p{Extended_Pictographic}]{1,50})$/u, name: ({ tag }) => tag, draw: tagRow };
/** In a field of tags alone, which need no sign. */
const BARE_TAGS = { ...TAGS, isBare: true, beginning: /(?<![^\s,\u060c\u3001\uff0c])[#\ufe5f\uff03]?([^\s,#\u060c\u3001\uff0c\ufe5f\uff03]{1,50})$/u };

let lists = 0;

export class TextCompletion {
  #app;
  #field;
  #kinds;
  /** What is offered: [{kind, item}]. */
  #offers = [];
  #chosen = 0;
  #timer = null;
  #latest = 0;

  /** `field` is an input or a textarea, with `onlyTags` one of tags alone; `list` has to be placed next to it. */
  constructor(app, field, { onlyTags = false } = {}) {
    this.#app = app;
    this.#field = field;
    this.#kinds = onlyTags ? [BARE_TAGS] : [USERS, TAGS];
    const id = `completions-${++lists}`;
    this.list = h("ul.completions", { id, role: "listbox", "aria-label": t("Suggestions"), hidden: true });
    // A field of several lines must not have the role, nor the state that only the role has.
    const combobox = field.localName === "input" ? { role: "combobox", "aria-expanded": "false" } : {};
    const attributes = { ...combobox, "aria-autocomplete": "list", "aria-controls": id, autocomplete: "off" };
    for (const [name, value] of Object.entries(attributes)) field.setAttribute(name, value);
    field.addEventListener("input", () => this.#typed());
    field.addEventListener("blur", () => this.#show([]));
    // Before the other listeners of the field: Enter takes an offer instead of sending the text.
    field.addEventListener("keydown", (event) => this.#pressed(event), { capture: true });
  }

  /** Return the kind of what is being typed, and its beginning; null if it is neither. */
  #beginning() {
    const { value, selectionStart, selectionEnd } = this.#field;
    if (selectionStart !== selectionEnd) return null;
    const before = value.slice(0, selectionStart);
    const found = this.#kinds.map((kind) => ({ kind, text: kind.beginning.exec(before)?.[1] })).find(({ text }) => text);
    return found ?? null;
  }

  #typed() {
    clearTimeout(this.#timer);
    const number = ++this.#latest;
    const found = this.#beginning();
    if (!found) this.#show([]);
    else this.#timer = setTimeout(() => this.#search(found, number), TYPING_PAUSE_MS);
  }

  async #search({ kind, text }, number) {
    try {
      const { items } = await this.#app.api.get("/search", { type: kind.type, q: text, limit: MAX_OFFERS });
      if (number !== this.#latest || document.activeElement !== this.#field) return;
      // What is complete already needs no offer.
      const offers = items.filter((item) => kind.name(item) !== text);
      this.#show(offers.map((item) => ({ kind, item })));
    } catch {
      this.#show([]); // the name can be typed as well
    }
  }

  #show(offers) {
    this.#offers = offers;
    // Every word of a field of tags begins one, so Enter and Tab keep their meaning there until an offer is chosen.
    this.#chosen = offers[0]?.kind.isBare ? -1 : 0;
    const options = offers.map(({ kind, item }, place) =>
      h("li", { id: `${this.list.id}-${place}`, role: "option", onpointerdown: (event) => this.#taken(event, place) }, kind.draw(item)),
    );
    fill(this.list, options);
    this.list.hidden = offers.length === 0;
    if (this.#field.role === "combobox") this.#field.setAttribute("aria-expanded", String(offers.length > 0));
    this.#mark();
  }

  #mark() {
    [...this.list.children].forEach((option, place) => option.setAttribute("aria-selected", String(place === this.#chosen)));
    if (this.#chosen in this.#offers) this.#field.setAttribute("aria-activedescendant", `${this.list.id}-${this.#chosen}`);
    else this.#field.removeAttribute("aria-activedescendant");
  }

  #pressed(event) {
    if (this.#offers.length === 0 || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step && !["Enter", "Tab", "Escape"].includes(event.key)) return;
    if ((event.key === "Enter" || event.key === "Tab") && this.#chosen < 0) {
      this.#show([]);
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (step) {
      const from = this.#chosen < 0 && step < 0 ? 0 : this.#chosen;
      this.#chosen = (from + step + this.#offers.length) % this.#offers.length;
      this.#mark();
    } else if (event.key === "Escape") this.#show([]);
    else this.#take(this.#chosen);
  }

  #taken(event, place) {
    event.preventDefault(); // the field keeps the focus
    this.#take(place);
  }

  #take(place) {
    const { kind, item } = this.#offers[place];
    const found = this.#beginning();
    this.#latest++;
    this.#show([]);
    if (found?.kind !== kind) return;
    const end = this.#field.selectionStart;
    this.#field.setRangeText(`${kind.name(item)} `, end - found.text.length, end, "end");
    this.#field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

function userRow(user) {
  return [avatar(user, "tiny"), h("span", {}, h("span.name", {}, displayName(user)), " ", h("span.secondary.small", {}, `@${user.username}`))];
}

function tagRow({ tag, photos }) {
  return h("span", {}, h("bdi.name", {}, `#${tag}`), " ", h("span.secondary.small", {}, tn("{count} photo", "{count} photos", photos)));
}
