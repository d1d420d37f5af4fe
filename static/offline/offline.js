/** The page without a connection: opens the wanted page again when there is one. */

const AGAIN_AFTER_MS = 10_000;

try {
  // The theme that the user has chosen (static/js/elements/theme.js): this script runs before the page is drawn.
  document.documentElement.dataset.theme = localStorage.getItem("picshare.theme") ?? "automatic";
} catch {
  // The browser keeps nothing for this site.
}
addEventListener("DOMContentLoaded", () => document.getElementById("again").addEventListener("click", () => location.reload()));
addEventListener("online", () => location.reload());
// "online" says nothing about a server that was away.
setInterval(async () => {
  if (document.visibilityState === "hidden") return;
  try {
    // Any response will do; the service worker lets this request pass.
    await fetch("/sw.js", { method: "HEAD", cache: "no-store" });
    location.reload();
  } catch {
    // Still without a connection.
  }
}, AGAIN_AFTER_MS);
