/** The frame around every page: navigation with the badge, the state of the live connection, the uploads. */

import { ConnectionSign } from "./connection_sign.js";
import { fill, h, icon } from "./dom.js";
import { avatar, profilePath } from "./person.js";

export class Shell {
  #app;
  #badge = h("span.badge", { hidden: true });
  #links = new Map();
  #signs;
  main = h("main", { id: "main", tabindex: "-1" });
  element = h("div.shell");

  constructor(app) {
    this.#app = app;
    app.notices.addEventListener("count", ({ detail }) => this.#count(detail));
    this.#signs = { bar: new ConnectionSign(app.live), rail: new ConnectionSign(app.live) };
  }

  /** Draw the frame for the signed-in person, or only the page when `bare`. */
  draw({ bare }) {
    this.#links.clear();
    this.element.classList.toggle("shell", !bare);
    if (bare) {
      fill(this.element, this.main);
      return;
    }
    fill(this.element, this.#topbar(), this.#nav(), this.#app.uploads.element, this.main);
    this.#count(this.#app.notices.unseen);
    this.mark();
  }

  /** Mark the link of the present page. */
  mark() {
    for (const [path, link] of this.#links) {
      if (path === location.pathname) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  #topbar() {
    return h("header.topbar", {}, this.#wordmark(), this.#signs.bar.element);
  }

  #wordmark() {
    return h("a.wordmark", { href: "/" }, h("img", { src: "/static/icons/picshare.svg", alt: "", width: 30, height: 30 }), h("span", {}, "PicShare"));
  }

  #nav() {
    const user = this.#app.session.user;
    const entries = [
      ["/", icon("home"), "Home"],
      ["/discover", icon("search"), "Discover"],
      ["/new", icon("plus"), "New photo"],
      ["/notifications", [icon("bell"), this.#badge], "Notifications"],
      [profilePath(user), avatar(user, "tiny"), "Profile"],
    ];
    const items = entries.map(([path, sign, label]) => {
      const [first, ...rest] = [sign].flat();
      const link = h("a", { href: path }, first, h("span.label", {}, label), rest);
      this.#links.set(path, link);
      return h("li", {}, link);
    });
    const settings = h("a.quiet", { href: "/settings" }, "Settings");
    return h(
      "nav.nav",
      { "aria-label": "Main" },
      this.#wordmark(),
      h("ul", {}, items),
      h("div.nav-foot.small", {}, this.#signs.rail.element, settings),
    );
  }

  #count(unseen) {
    this.#badge.hidden = unseen === 0;
    fill(this.#badge, unseen > 99 ? "99+" : String(unseen), h("span.unseen", {}, " new"));
  }
}
