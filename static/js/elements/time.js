/** Relative times in the user's language, updated as time passes. */

import { fill, h } from "./dom.js";
import { date, languageChanges, locale as currentLocale, t, tn, written } from "./texts.js";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

/** Return a short text for a time: "now", "5 min", "3 h", "2 d", then the date. Both in milliseconds. */
export function relativeTime(moment, now = Date.now(), locale = currentLocale()) {
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  if (seconds < 45) return String(t("now"));
  if (seconds < HOUR) return String(t("{count} min", { count: Math.max(1, Math.round(seconds / MINUTE)) }));
  if (seconds < DAY) return String(t("{count} h", { count: Math.round(seconds / HOUR) }));
  if (seconds < WEEK) return String(t("{count} d", { count: Math.round(seconds / DAY) }));
  const sameYear = new Date(moment).getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: sameYear ? undefined : "numeric" }).format(
    moment,
  );
}

/** Return the same as the end of a sentence: "just now", "5 min ago", "3 h ago", "2 d ago", "on 3 May". */
export function relativeTimePhrase(moment, now = Date.now(), locale = currentLocale()) {
  const text = relativeTime(moment, now, locale);
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  if (seconds < 45) return String(t("just now"));
  if (seconds >= WEEK) return String(t("on {date}", { date: text }));
  if (seconds < HOUR) return String(tn("{count} min ago", "{count} min ago", Math.max(1, Math.round(seconds / MINUTE))));
  if (seconds < DAY) return String(tn("{count} h ago", "{count} h ago", Math.round(seconds / HOUR)));
  return String(tn("{count} d ago", "{count} d ago", Math.round(seconds / DAY)));
}

/**
 * Return a `<time>` element for an RFC 3339 text; hovering shows the full date. `inSentence` gives the end of a sentence.
 */
export function timeElement(text, { inSentence = false } = {}) {
  const moment = Date.parse(text);
  const label = written(() => (inSentence ? relativeTimePhrase : relativeTime)(moment));
  return h("time", { datetime: text, title: fullDate(moment), data: inSentence ? { sentence: "" } : {} }, label);
}

/** Return a `<time>` element with the date of an RFC 3339 text, for a time that was not measured here. */
export function dateElement(text) {
  const moment = Date.parse(text);
  return h("time", { datetime: text, title: fullDate(moment), data: { date: "" } }, formattedDate(text));
}

/** Return the message with the date of an RFC 3339 text. */
export function formattedDate(text) {
  return written(() => date(Date.parse(text), { dateStyle: "long" }));
}

function fullDate(moment) {
  return written(() => date(moment, { dateStyle: "full", timeStyle: "short" }));
}

/** Update every `<time>` with a relative time below `root` each half minute; returns a function that stops it. */
export function keepTimesUpdated(root = document) {
  const update = () => {
    for (const element of root.querySelectorAll("time[datetime]:not([data-date])")) {
      const text = ("sentence" in element.dataset ? relativeTimePhrase : relativeTime)(Date.parse(element.dateTime));
      if (element.textContent !== text) fill(element, text);
    }
  };
  const timer = setInterval(update, 30_000);
  languageChanges.addEventListener("change", update);
  return () => {
    clearInterval(timer);
    languageChanges.removeEventListener("change", update);
  };
}
