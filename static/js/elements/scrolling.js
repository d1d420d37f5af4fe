/** Scrolling to the top of the page. */

/** From farther than so many windows the page jumps: on the way it would load all that it passes. */
const FAR = 4;

/** Scroll to the top. */
export function scrollToTop() {
  scrollTo({ top: 0, behavior: scrollY > FAR * innerHeight ? "instant" : "smooth" });
}
