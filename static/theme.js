/**
 * The theme of this browser: applies what the user has chosen before the page is drawn, and again when it changes.
 *
 * A script of its own and not a module, because modules run after the first paint, which would show the other theme.
 * static/js/elements/theme.js stores the choice; the event comes from there, or from the browser for other tabs.
 */

(() => {
  "use strict";
  const KEY = "picshare.theme";

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      // The browser keeps nothing for this site.
      return null;
    }
  }

  function apply(theme) {
    const chosen = theme === "light" || theme === "dark" ? theme : null;
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
    // The bars of the browser around the page.
    for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
      const { scheme } = meta.dataset;
      if (chosen) meta.media = chosen === scheme ? "all" : "not all";
      else meta.media = `(prefers-color-scheme: ${scheme})`;
    }
  }

  addEventListener("storage", ({ key, newValue }) => {
    if (key === KEY) apply(newValue);
    // All was removed.
    if (key === null) apply(null);
  });
  apply(stored());
})();
