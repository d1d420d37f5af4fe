/** The last searches of the signed-in user, kept in this browser only. */

const KEY = "picshare.searches";
const MOST = 8;

/** Return the last searches of a user, the newest first. */
export function recentSearches(user) {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return stored?.user === user && Array.isArray(stored.texts) ? stored.texts.filter((text) => typeof text === "string") : [];
  } catch {
    return [];
  }
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
  try {
    if (texts.length > 0) localStorage.setItem(KEY, JSON.stringify({ user, texts }));
    else localStorage.removeItem(KEY);
  } catch {
    // A browser that keeps nothing has no recent searches.
  }
}
