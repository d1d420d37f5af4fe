/** Offer the names of users while "@…" is typed into a field (the combobox pattern of the ARIA practices guide). */

import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { avatar, displayName } from "./user.js";

/** A search is sent after this time without a keystroke, in milliseconds. */
const TYPING_PAUSE_MS = 250;
const MAX_NAMES = 5;
/** The beginning of a mention before the caret, as the server finds mentions (`storage/entities.py`). */
const BEGINNING = /(?<![\p{L}\p{N}_.%+\-/@])@([A-Za-z0-9_.]{1,30})$/u;

export class MentionCompletion {
  #app;
  #field;
  #users = [];
  #chosen = 0;
  #timer = null;
  #latest = 0;

  /** `field` is a textarea; `list` has to be placed next to it. */
  constructor(app, field, id) {
    this.#app = app;
    this.#field = field;
    this.list = h("ul.mention-list", { id, role: "listbox", "aria-label": t("Users to mention"), hidden: true });
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", id], ["aria-expanded", "false"]]) {
      field.setAttribute(name, value);
    }
    field.addEventListener("input", () => this.#typed());
    field.addEventListener("blur", () => this.#show([]));
    // Before the other listeners of the field: Enter chooses a name instead of sending the text.
    field.addEventListener("keydown", (event) => this.#pressed(event), { capture: true });
  }

  #beginning() {
    const { value, selectionStart, selectionEnd } = this.#field;
    return selectionStart === selectionEnd ? BEGINNING.exec(value.slice(0, selectionStart))?.[1] : undefined;
  }

  #typed() {
    clearTimeout(this.#timer);
    const number = ++this.#latest;
    const name = this.#beginning();
    if (!name) this.#show([]);
    else this.#timer = setTimeout(() => this.#search(name, number), TYPING_PAUSE_MS);
  }

  async #search(name, number) {
    try {
      const { items } = await this.#app.api.get("/search", { type: "users", q: name, limit: MAX_NAMES });
      if (number === this.#latest && document.activeElement === this.#field) this.#show(items);
    } catch {
      this.#show([]); // the name can be typed as well
    }
  }

  #show(users) {
    this.#users = users;
    this.#chosen = 0;
    const options = users.map((user, place) =>
      h(
        "li",
        { id: `${this.list.id}-${place}`, role: "option", onpointerdown: (event) => this.#taken(event, place) },
        avatar(user, "tiny"),
        h("span", {}, h("span.name", {}, displayName(user)), " ", h("span.secondary.small", {}, `@${user.username}`)),
      ),
    );
    fill(this.list, options);
    this.list.hidden = users.length === 0;
    this.#field.setAttribute("aria-expanded", String(users.length > 0));
    this.#mark();
  }

  #mark() {
    [...this.list.children].forEach((option, place) => option.setAttribute("aria-selected", String(place === this.#chosen)));
    if (this.#users.length > 0) this.#field.setAttribute("aria-activedescendant", `${this.list.id}-${this.#chosen}`);
    else this.#field.removeAttribute("aria-activedescendant");
  }

  #pressed(event) {
    if (this.#users.length === 0 || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step && !["Enter", "Tab", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (step) {
      this.#chosen = (this.#chosen + step + this.#users.length) % this.#users.length;
      this.#mark();
    } else if (event.key === "Escape") this.#show([]);
    else this.#take(this.#chosen);
  }

  #taken(event, place) {
    event.preventDefault(); // the field keeps the focus
    this.#take(place);
  }

  #take(place) {
    const { username } = this.#users[place];
    const name = this.#beginning();
    this.#latest++;
    this.#show([]);
    if (name === undefined) return;
    const end = this.#field.selectionStart;
    this.#field.setRangeText(`${username} `, end - name.length, end, "end");
    this.#field.dispatchEvent(new Event("input"));
  }
}
