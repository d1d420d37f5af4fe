/**
 * The texts of the page in the user's language.
 *
 * The English text is the key, as in gettext, so that English needs no catalogue. `t` and `tn` return a `Message`: it is
 * written when it is shown, so that constants of a module may be messages, and again when the language changes, if `h`,
 * `append` or `fill` (dom.js) have shown it. The page loses nothing of what its user has begun.
 */

/** The placeholder of a value, "{name}", and around a part that becomes an element, "<link>…</link>". */
const PLACES = /\{(\w+)\}|<(\w+)>(.*?)<\/\2>/gs;
/** Letters of scripts that are written from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
/** The order of the plural forms in a catalogue, of which each language has some. */
const FORMS = ["zero", "one", "two", "few", "many", "other"];
/** Languages that are written from right to left. */
const LEFTWARD = new Set(["ar"]);
const CONTEXT_END = "\u0004";

const current = { language: "en", catalogue: {}, plurals: new Intl.PluralRules("en"), forms: ["one", "other"] };

/** Dispatches "change" after the language has changed; the shown messages (shown_texts.js) change first. */
export const languageChanges = new EventTarget();

/** A text that depends on the language: `parts()` returns strings and nodes. */
export class Message {
  #parts;

  constructor(parts) {
    this.#parts = parts;
  }

  parts() {
    return this.#parts();
  }

  toString() {
    return this.parts().map((part) => (typeof part === "string" ? part : part.textContent)).join("");
  }

  toJSON() {
    return this.toString();
  }
}

/**
 * Return the message of an English text.
 *
 * Each `{name}` in it is replaced by the value of this name: a string, a number, a node or another message. For
 * `<name>…</name>` the value is a function that returns a node with the text between, so that a translator can move it.
 */
export function t(text, values = {}) {
  return new Message(() => filled(translated(text), values));
}

/** Return the same for a text that means something else in another place: `context` says what it is. */
export function tc(context, text, values = {}) {
  return new Message(() => filled(translated(context + CONTEXT_END + text) ?? text, values));
}

/** Return the message of a text about a number of things, which is its value `count`: `one` of them, or several. */
export function tn(one, several, count, values = {}) {
  return new Message(() => filled(pluralOf(one, several, count), { count, ...values }));
}

/** Return the message that a function writes, for example a date. */
export function written(write) {
  return new Message(() => [write()]);
}

/** Return the message of a text that the server has given with its template, or else the text (docs/api.md). */
export function fromServer({ text, localized }) {
  return localized ? new Message(() => localizedParts(localized)) : text;
}

/** Return messages or strings with the separators of a list between them: "a, b and c". */
export function listed(items, type = "conjunction") {
  return written(() => new Intl.ListFormat(locale(), { type }).format(items.map(String)));
}

/** Return the language of the texts. */
export function language() {
  return current.language;
}

/** Return the language for `Intl`, with the region that the browser names, for example "en-GB". */
export function locale() {
  return navigator.languages?.find((tag) => tag.split("-")[0] === current.language) ?? current.language;
}

/** Return whether the page is laid out from right to left. */
export function isLeftward() {
  return LEFTWARD.has(current.language);
}

/** Return 1 for a key, a swipe or a scroll towards the end of a line, as "ArrowRight" in English, -1 for its beginning. */
export function lineDirection() {
  return isLeftward() ? -1 : 1;
}

/** Return a number as the language writes it; `options` are those of `Intl.NumberFormat`. */
export function number(value, options) {
  return new Intl.NumberFormat(locale(), options).format(value);
}

/** Return a date as the language writes it; `options` are those of `Intl.DateTimeFormat`. */
export function date(moment, options) {
  return new Intl.DateTimeFormat(locale(), options).format(moment);
}

/** Show all messages in a language; `catalogue` has its texts, and lists of plural forms, by the English ones. */
export function setLanguage(name, catalogue) {
  const plurals = new Intl.PluralRules(name);
  const { pluralCategories } = plurals.resolvedOptions();
  Object.assign(current, { language: name, catalogue, plurals, forms: FORMS.filter((form) => pluralCategories.includes(form)) });
  document.documentElement.lang = name;
  document.documentElement.dir = isLeftward() ? "rtl" : "ltr";
  languageChanges.dispatchEvent(new Event("change"));
}

function translated(key) {
  const found = current.catalogue[key];
  if (found) return found;
  return key.includes(CONTEXT_END) ? undefined : key;
}

function pluralOf(one, several, count) {
  const found = current.catalogue[one];
  const category = current.plurals.select(count);
  if (Array.isArray(found)) return found[current.forms.indexOf(category)];
  return category === "one" ? one : several;
}

/** Return a text as strings and nodes, with its values in their places. */
function filled(text, values) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(PLACES)) {
    const [whole, name, tag, inner] = match;
    parts.push(text.slice(end, match.index), valueParts(whole, values[name ?? tag], inner, values));
    end = match.index + whole.length;
  }
  parts.push(text.slice(end));
  return parts.flat(Infinity).filter((part) => part !== "");
}

function valueParts(whole, value, inner, values) {
  if (typeof value === "function") return value(filled(inner, values));
  if (value instanceof Message) return value.parts();
  if (value instanceof Node || Array.isArray(value)) return value;
  if (typeof value === "number") return number(value);
  return value === undefined || value === null ? whole : isolated(String(value));
}

/** Return a name so that its direction changes nothing around it (Unicode's isolates). */
function isolated(text) {
  return isLeftward() || RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;
}

function localizedParts({ text, several, count, values = {} }) {
  const known = Object.entries(values).map(([name, value]) => [name, value?.text ? fromServer({ localized: value }) : value]);
  const template = several === undefined ? translated(text) : pluralOf(text, several, count);
  return filled(template, Object.fromEntries(known));
}
