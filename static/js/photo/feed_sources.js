/** The switch between the feeds: the home feed, the followed tags, and each list of the user. */

import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";

/** Return `{element, leave}`; `path` is that of the page on which the switch is. */
export function feedSources(app, path) {
  const links = h("ul.feed-sources");
  const element = h("nav", { "aria-label": t("Feeds") }, links);
  const draw = () => {
    const own = app.lists.items.map(({ id, title }) => link(`/lists/${id}`, title, path));
    fill(links, link("/", t("Home"), path), link("/discover/tags", t("Tags"), path), link("/lists", t("Lists"), path), own);
    showCurrent(links);
  };
  app.lists.addEventListener("change", draw);
  draw();
  // Without the lists, the other feeds can still be chosen; the page "Lists" shows the error.
  app.lists.load().catch(() => {});
  return { element, leave: () => app.lists.removeEventListener("change", draw) };
}

function link(href, text, path) {
  return h("li", {}, h("a.chip", { href, "aria-current": href === path && "page" }, text));
}

/** Scroll the row, and not the page, until the current feed is visible. */
function showCurrent(links) {
  const current = links.querySelector("[aria-current]")?.parentElement;
  if (!current) return;
  const middle = ({ left, width }) => left + width / 2;
  links.scrollLeft += middle(current.getBoundingClientRect()) - middle(links.getBoundingClientRect());
}
