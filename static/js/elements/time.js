/** Relative times in the user's language, updated as time passes. */

import { h } from "./dom.js";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

/** Return a short text for a time: "now", "5 min", "3 h", "2 d", then the date. Both in milliseconds. */
export function relativeTime(moment, now = Date.now(), locale = undefined) {
  const seconds = Math.max(0, Math.round((now - moment) / 1000));
  if (seconds < 45) return "now";
  if (seconds < HOUR) return `${Math.max(1, Math.round(seconds / MINUTE))} min`;
  if (seconds < DAY) return `${Math.round(seconds / HOUR)} h`;
  if (seconds < WEEK) return `${Math.round(seconds / DAY)} d`;
  const sameYear = new Date(moment).getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: sameYear ? undefined : "numeric" }).format(
    moment,
  );
}

/** Return the same as the end of a sentence: "just now", "5 min ago", "3 h ago", "2 d ago", "on 3 May". */
export function relativeTimePhrase(moment, now = Date.now(), locale = undefined) {
  const text = relativeTime(moment, now, locale);
  if (text === "now") return "just now";
  return Math.round((now - moment) / 1000) < WEEK ? `${text} ago` : `on ${text}`;
}

/**
 * Return a `<time>` element for an RFC 3339 text; hovering shows the full date. `inSentence` gives the end of a sentence.
 */
export function timeElement(text, { inSentence = false } = {}) {
  const moment = Date.parse(text);
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" }).format(moment);
  const label = inSentence ? relativeTimePhrase(moment) : relativeTime(moment);
  return h("time", { datetime: text, title: full, data: inSentence ? { sentence: "" } : {} }, label);
}

/** Return a `<time>` element with the date of an RFC 3339 text, for a time that was not measured here. */
export function dateElement(text) {
  const moment = Date.parse(text);
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" }).format(moment);
  return h("time", { datetime: text, title: full, data: { date: "" } }, formattedDate(text));
}

/** Return the date of an RFC 3339 text in the user's language. */
export function formattedDate(text) {
  return new Intl.DateTimeFormat(undefined, { dateStyle: "long" }).format(Date.parse(text));
}

/** Update every `<time>` with a relative time below `root` each half minute; returns a function that stops it. */
export function keepTimesUpdated(root = document) {
  const update = () => {
    for (const element of root.querySelectorAll("time[datetime]:not([data-date])")) {
      const text = ("sentence" in element.dataset ? relativeTimePhrase : relativeTime)(Date.parse(element.dateTime));
      if (element.textContent !== text) element.textContent = text;
    }
  };
  const timer = setInterval(update, 30_000);
  return () => clearInterval(timer);
}
