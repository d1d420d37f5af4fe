/** The last searches of the signed-in user, kept in this browser only. */

import { deviceValues } from "../elements/kept_values.js";

const KEY = "picshare.searches";
const MOST = 8;

/** Return the last searches of a user, the newest first. */
export function recentSearches(user) {
  const stored = deviceValues.getObject(KEY);
  return stored?.user === user && Array.isArray(stored.texts) ? stored.texts.filter((text) => typeof text === "string") : [];
}

/** Put a search first. */
export function rememberSearch(user, text) {
  store(user, [text, ...recentSearches(user).filter((other) => other !== text)].slice(0, MOST));
}

/** Forget one search, or all of them. */
export function forgetSearches(user, text = null) {
  store(user, text === null ? [] : recentSearches(user).filter((other) => other !== text));
}

function store(user, texts) {
  if (texts.length > 0) deviceValues.set(KEY, JSON.stringify({ user, texts }));
  else deviceValues.remove(KEY);
}
