/**
 * The language of the page: one that was chosen, or the first one of the browser that PicShare has.
 *
 * The choice is kept in this browser. The other tabs follow it at once, and a cookie has it for the server, which writes
 * the page and its errors in it.
 */

import { deviceValues } from "../elements/kept_values.js";
import { language, setLanguage } from "../elements/texts.js";

/** The languages by their codes, as they name themselves. */
export const LANGUAGES = { en: "English", de: "Deutsch", ar: "العربية" };
/** The choice of the browser's own language. */
export const AUTOMATIC = "auto";
const KEY = "picshare.language";
const COOKIE = "picshare_language";
const YEAR = 365 * 24 * 3600; // seconds

export class PageLanguage extends EventTarget {
  #load;
  /** The language that was asked for last, whose catalogue may still be loading. */
  #wanted = "en";

  /** `load(language)` resolves to the catalogue of a language other than English. Dispatches "chosen" in the other tabs. */
  constructor(load) {
    super();
    this.#load = load;
    addEventListener("storage", ({ key }) => {
      if (key !== KEY) return;
      this.#use(this.#present()).catch(() => {}); // The page stays in its language; the next one is in the new one.
      this.dispatchEvent(new Event("chosen"));
    });
  }

  /** What was chosen in this browser: a language or "auto". */
  get chosen() {
    const chosen = deviceValues.get(KEY);
    return chosen in LANGUAGES ? chosen : AUTOMATIC;
  }

  /**
   * Show the page in the language of its document, which the server has chosen.
   *
   * Without a connection the document is that of any visitor, so a choice in this browser comes first.
   */
  async start() {
    const lang = this.chosen === AUTOMATIC ? document.documentElement.lang : this.chosen;
    try {
      await this.#use(lang in LANGUAGES ? lang : "en");
    } catch {
      await this.#use("en");
    }
  }

  /** Show the page in a language from now on, or in that of the browser ("auto"). */
  async choose(chosen) {
    if (chosen === AUTOMATIC) deviceValues.remove(KEY);
    else deviceValues.set(KEY, chosen);
    document.cookie = `${COOKIE}=${chosen}; Path=/; SameSite=Lax; Max-Age=${chosen === AUTOMATIC ? 0 : YEAR}`;
    await this.#use(this.#present());
  }

  #present() {
    if (this.chosen !== AUTOMATIC) return this.chosen;
    return navigator.languages.map((tag) => tag.toLowerCase().split("-")[0]).find((name) => name in LANGUAGES) ?? "en";
  }

  async #use(name) {
    this.#wanted = name;
    const catalogue = name === "en" ? {} : await this.#load(name);
    if (name === this.#wanted && name !== language()) setLanguage(name, catalogue);
  }
}
