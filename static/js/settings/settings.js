/** Settings: the list of their sections, and the page of each one next to it. */

import { accessTokensSection } from "./access_tokens.js";
import { deletionSection } from "../account/account_deletion.js";
import { accountSection } from "./account_settings.js";
import { appearanceSection } from "./appearance_settings.js";
import { blockedSection } from "./blocked_users.js";
import { closeFriendsPage } from "./close_friends.js";
import { connectedAppsSection } from "./connected_apps.js";
import { dataExportPage } from "./data_export.js";
import { decisionsPage } from "../reports/decisions.js";
import { developerSection } from "./developer_apps.js";
import { fill, h, icon } from "../elements/dom.js";
import { isModerator } from "../users/roles.js";
import { installOffer } from "./install.js";
import { ownReportsPage } from "../reports/own_reports.js";
import { notificationSection } from "../notifications/notification_settings.js";
import { privacySection } from "./privacy_settings.js";
import { profileSection } from "./profile_settings.js";
import { providerLinkPage } from "../account/provider_pages.js";
import { match } from "../elements/router.js";
import { securitySection } from "./security_settings.js";
import { sessionsSection } from "./sessions_settings.js";
import { SETTINGS_PATHS } from "./settings_paths.js";
import { t } from "../elements/texts.js";
import { webhookPage } from "./webhook_page.js";
import { webhooksPage } from "./webhooks.js";

/** The list and a section are side by side in windows as wide as this, as in settings.css. */
const WIDE = "(min-width: 64rem)";

/** In the order of the list; each needs its path in settings_paths.js. `page` is a page as the router has them. */
const SECTIONS = [
  { path: "/settings/profile", label: t("Profile"), iconName: "person", text: t("Pictures, name and what you say about you"), page: profileSection },
  { path: "/settings/account", label: t("Account"), iconName: "gear", text: t("User name, e-mail address and language"), page: accountSection },
  { path: "/settings/security", label: t("Security"), iconName: "key", text: t("Password, two-factor sign-in and passkeys"), page: securitySection },
  { path: "/settings/sessions", label: t("Sessions"), iconName: "devices", text: t("Where you are signed in"), page: sessionsSection },
  { path: "/settings/applications", label: t("Connected apps"), iconName: "people", text: t("What has access to your account"), page: connectedAppsSection },
  { path: "/settings/privacy", label: t("Privacy"), iconName: "lock", text: t("Who sees you, and what your photos reveal"), page: privacySection },
  { path: "/settings/notifications", label: t("Notifications"), iconName: "bell", text: t("What reaches you, how and when"), page: notificationSection },
  { path: "/settings/appearance", label: t("Appearance"), iconName: "theme", text: t("Light, dark, or as your device is set"), page: appearanceSection },
  { path: "/settings/blocked", label: t("Blocked and muted"), iconName: "block", text: t("Accounts that you do not want to see"), page: blockedSection },
  { path: "/settings/webhooks", label: t("Webhooks"), iconName: "link", text: t("Messages to your own programs"), page: webhooksPage },
  { path: "/settings/tokens", label: t("Access tokens"), iconName: "key", text: t("For your own programs"), page: accessTokensSection },
  { path: "/settings/developer", label: t("Developer"), iconName: "gear", text: t("Applications that you have made"), page: developerSection },
  { path: "/settings/data", label: t("Your data"), iconName: "layers", text: t("Export it, or import photos from elsewhere"), page: dataExportPage },
  { path: "/settings/reports", label: t("Your reports"), iconName: "flag", text: t("What you have reported, and what became of it"), page: ownReportsPage },
  { path: "/settings/decisions", label: t("Decisions"), iconName: "check", text: t("What moderators have decided about you"), page: decisionsPage },
  { path: "/settings/deletion", label: t("Delete account"), iconName: "trash", text: t("With everything that belongs to it"), page: deletionSection },
];

/** Pages below a section: pattern, path of the section, page. */
const PAGES_BELOW = [
  ["/settings/close-friends", "/settings/privacy", closeFriendsPage],
  ["/settings/provider", "/settings/security", providerLinkPage],
  ["/settings/webhooks/:id", "/settings/webhooks", webhookPage],
];

const PAGES = new Map([
  ["/settings", indexPage],
  ...SECTIONS.map(({ path, page }) => [path, besideList(page, path)]),
  ...PAGES_BELOW.map(([pattern, section, page]) => [pattern, besideList(page, section, { below: true })]),
]);

/** Create the page of the settings at the current address, one of `SETTINGS_PATHS`. */
export function settingsPage(app, params) {
  const pattern = SETTINGS_PATHS.find((path) => match(path, location.pathname));
  return PAGES.get(pattern)(app, params);
}

/** Create the page at "/settings": the list, or the first section where both fit. */
function indexPage(app) {
  if (matchMedia(WIDE).matches) return SECTIONS[0].path;
  const list = new SectionList(app);
  const element = h("div", {}, h("div.page-head", {}, h("h1", {}, t("Settings"))), list.element);
  return { title: t("Settings"), element, leave: () => list.leave() };
}

/** Return a page that shows the list of sections and another page; the latter is a section or a page `below` one. */
function besideList(page, path, { below = false } = {}) {
  return (app, params) => {
    const shown = page(app, params);
    const list = new SectionList(app, { current: path, below });
    const { label } = SECTIONS.find((section) => section.path === path);
    const up = below
      ? h("a.settings-up", { href: path }, icon("back"), label)
      : h("a.settings-up.to-list", { href: "/settings" }, icon("back"), t("Settings"));
    const element = h("div.settings", {}, list.element, h("div.settings-section", {}, up, shown.element));
    const leave = () => {
      list.leave();
      shown.leave?.();
    };
    return { ...shown, element, wide: true, leave };
  };
}

class SectionList {
  #app;
  #signedInAs = h("p.secondary.small");
  #offer;
  element;

  constructor(app, { current = null, below = false } = {}) {
    this.#app = app;
    const links = SECTIONS.map((section) => {
      const mark = section.path === current && (below ? "true" : "page");
      return sectionLink({ ...section, mark });
    });
    if (isModerator(app.session.user)) {
      links.push(sectionLink({ path: "/moderation", label: t("Moderation"), iconName: "people", text: t("The queue of moderators"), mark: false }));
    }
    const signOut = h("button.button.plain", { type: "button", onclick: () => this.#signOut() }, icon("out"), t("Sign out"));
    this.#offer = installOffer(app);
    this.element = h(
      "div.settings-list",
      {},
      h("nav", { "aria-label": t("Settings") }, h("ul.panel", {}, links.map((link) => h("li", {}, link)))),
      h("div.settings-session", {}, this.#offer.element, this.#signedInAs, signOut),
    );
    this.#showName();
    app.session.addEventListener("change", this.#showName);
  }

  leave() {
    this.#offer.leave();
    this.#app.session.removeEventListener("change", this.#showName);
  }

  #showName = () => {
    const user = this.#app.session.user;
    if (user) fill(this.#signedInAs, t("Signed in as {name}.", { name: `@${user.username}` }));
  };

  async #signOut() {
    try {
      await this.#app.signOut();
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }
}

function sectionLink({ path, label, iconName, text, mark }) {
  return h(
    "a.settings-link",
    { href: path, "aria-current": mark },
    icon(iconName),
    h("span", {}, h("b", {}, label), h("span.secondary.small", {}, text)),
  );
}
