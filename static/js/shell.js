/** The frame around every page: navigation with the badge and a menu, the connection status, the uploads. */

import { ConnectionStatus } from "./elements/connection_status.js";
import { fill, h, icon, logo, unseenNumber } from "./elements/dom.js";
import { menuOf } from "./elements/menu.js";
import { chooseTheme, chosenTheme, THEMES } from "./elements/theme.js";
import { t } from "./elements/texts.js";
import { isModerator } from "./users/roles.js";
import { avatar, profilePath } from "./users/user.js";

export class Shell {
  #app;
  #badge = h("span.badge", { hidden: true });
  #links = new Map();
  #refreshButtons = [];
  #connectionStatus;
  main = h("main", { id: "main", tabindex: "-1" });
  element = h("div.shell");

  constructor(app) {
    this.#app = app;
    app.notificationCenter.addEventListener("count", ({ detail }) => this.#setCount(detail));
    this.#connectionStatus = { bar: new ConnectionStatus(app.live), sidebar: new ConnectionStatus(app.live) };
  }

  /** Draw the frame for the signed-in user; `bare` draws only the page. */
  draw({ bare }) {
    this.#links.clear();
    this.#refreshButtons = [this.#refreshButton("button.icon-button"), this.#refreshButton("button.text-button.secondary")];
    this.element.classList.toggle("shell", !bare);
    if (bare) {
      fill(this.element, this.main);
      return;
    }
    fill(this.element, this.#topbar(), this.#nav(), this.#app.uploads.element, this.#app.pendingTray.element, this.main);
    this.#setCount(this.#app.notificationCenter.counters.unseen);
    this.pageShown();
  }

  /** Mark the link of the current page, and offer to refresh a page for which that is possible. */
  pageShown() {
    const { canRefresh } = this.#app.router;
    for (const button of this.#refreshButtons) button.hidden = !canRefresh;
    document.documentElement.classList.toggle("refreshable", canRefresh);
    this.markCurrentLink(location.pathname);
  }

  /** Mark the link of a path, also of one whose page is not shown yet. */
  markCurrentLink(current) {
    for (const [path, link] of this.#links) {
      if (path === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  #topbar() {
    const [refresh] = this.#refreshButtons;
    return h("header.topbar", {}, this.#wordmark(), h("div.topbar-end", {}, this.#connectionStatus.bar.element, refresh));
  }

  /** An installed application has no button of the browser for it. */
  #refreshButton(tag) {
    const busy = async ({ currentTarget: button }) => {
      if (button.getAttribute("aria-disabled")) return;
      button.setAttribute("aria-disabled", "true");
      await this.#app.refresh();
      button.removeAttribute("aria-disabled");
    };
    const isIcon = tag.endsWith("icon-button");
    return h(tag, { type: "button", hidden: true, "aria-label": isIcon && t("Refresh"), onclick: busy }, isIcon ? icon("refresh") : t("Refresh"));
  }

  #wordmark() {
    return h("a.wordmark", { href: "/" }, logo({ width: 30, height: 30 }), h("span", {}, "PicShare"));
  }

  #nav() {
    const user = this.#app.session.user;
    const entries = [
      ["/", icon("home"), t("Home")],
      ["/discover", icon("search"), t("Discover")],
      ["/new", icon("plus"), t("New photo")],
      ["/notifications", [icon("bell"), this.#badge], t("Notifications")],
      [profilePath(user), avatar(user, "tiny"), t("Profile")],
    ];
    const items = entries.map(([path, symbol, label]) => {
      const [first, ...rest] = [symbol].flat();
      const link = h("a", { href: path }, first, h("span.label", {}, label), rest);
      this.#links.set(path, link);
      return h("li", {}, link);
    });
    const settings = [isModerator(user) && h("a.secondary", { href: "/moderation" }, t("Moderation")), h("a.secondary", { href: "/settings" }, t("Settings"))];
    return h(
      "nav.nav",
      { "aria-label": t("Main") },
      this.#wordmark(),
      h("ul", {}, items, h("li", {}, this.#menu())),
      h("div.nav-foot.small", {}, this.#connectionStatus.sidebar.element, this.#refreshButtons[1], settings),
    );
  }

  /** What is not in the navigation itself: on phones it is in reach of the thumb here. */
  #menu() {
    const button = h("button.menu-button", { type: "button" }, icon("menu"), h("span.label", {}, t("Menu")));
    return menuOf(button, () =>
      [
        ["bookmark", t("Saved"), "/saved"],
        ["people", t("Lists"), "/lists"],
        ["gear", t("Settings"), "/settings"],
        isModerator(this.#app.session.user) && ["flag", t("Moderation"), "/moderation"],
        ["out", t("Sign out"), () => this.#signOut()],
        { label: t("Theme"), options: THEMES, chosen: chosenTheme, choose: chooseTheme },
      ].filter(Boolean),
    );
  }

  async #signOut() {
    try {
      await this.#app.signOut();
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  #setCount(unseen) {
    this.#badge.hidden = unseen === 0;
    fill(this.#badge, unseen > 0 && unseenNumber(unseen));
  }
}
