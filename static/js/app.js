/** The composition root of the web application: creates every part with its dependencies, and starts. */

import { LiveClient } from "../live.js";
import { Accounts } from "./service/accounts.js";
import { Api, errorFromProblem } from "./service/api.js";
import { forgetAudience } from "./post/audience.js";
import { confirmDialog, emptyPage, fill, h } from "./elements/dom.js";
import { acceptDrops } from "./elements/drag_and_drop.js";
import { FEED_PAGE, homePage } from "./feed/feed.js";
import { Installation } from "./elements/installation.js";
import { tabValues } from "./elements/kept_values.js";
import { nextFrame } from "./elements/later.js";
import { lazyPage } from "./elements/lazy_page.js";
import { LastFeed } from "./feed/last_feed.js";
import { Lists } from "./lists/lists.js";
import { NotificationCenter } from "./notifications/notification_center.js";
import { PendingChanges } from "./pending/pending_changes.js";
import { PendingTray } from "./pending/pending_tray.js";
import { photoPage } from "./photo/photo_page.js";
import { photoShortcuts } from "./photo/photo_viewer.js";
import { Photos } from "./photo/photos.js";
import { profilePage } from "./profile/profile.js";
import { useFirstResponses } from "./service/first_responses.js";
import { AUTOMATIC, PageLanguage } from "./service/page_language.js";
import { Push } from "./notifications/push.js";
import { forgetSearches } from "./discover/recent_searches.js";
import { pullToRefresh } from "./elements/pull_to_refresh.js";
import { Router } from "./elements/router.js";
import { Session } from "./service/session.js";
import { SETTINGS_PATHS } from "./settings/settings_paths.js";
import { Shell } from "./shell.js";
import { handleShortcuts } from "./elements/shortcuts.js";
import { signInPage, signUpPage } from "./account/sign_in.js";
import { t, tn } from "./elements/texts.js";
import { unreachablePage } from "./elements/unavailable.js";
import { keepTimesUpdated } from "./elements/time.js";
import { followTheme } from "./elements/theme.js";
import { Toasts } from "./elements/toasts.js";
import { nameIconButtons } from "./elements/tooltips.js";
import { takeShared } from "./uploads/shared_files.js";
import { UploadDraft } from "./uploads/upload_draft.js";
import { Uploads } from "./uploads/uploads.js";
import { redrawUser } from "./users/user.js";

const accountLinks = (name) => lazyPage(() => import("./account/account_links.js"), name);
const lists = (name) => lazyPage(() => import("./lists/list_pages.js"), name);
const saved = (name) => lazyPage(() => import("./profile/saved.js"), name);
const [forgotPage, resetPage, verifyPage, emailChangePage] = ["forgotPage", "resetPage", "verifyPage", "emailChangePage"].map(accountLinks);
const providerSignInPage = lazyPage(() => import("./account/provider_pages.js"), "providerSignInPage");
const uploadPage = lazyPage(() => import("./post/upload.js"), "uploadPage");
const authorizationPage = lazyPage(() => import("./account/authorization.js"), "authorizationPage");
const discover = (name) => lazyPage(() => import("./discover/discover.js"), name);
const designPage = lazyPage(() => import("./design/design_page.js"), "designPage");
const notificationsPage = lazyPage(() => import("./notifications/notifications.js"), "notificationsPage");
const moderationPage = lazyPage(() => import("./moderation/moderation.js"), "moderationPage");
const [followersPage, followingPage] = ["followersPage", "followingPage"].map((name) => lazyPage(() => import("./users/user_list.js"), name));
const settingsPage = lazyPage(() => import("./settings/settings.js"), "settingsPage");

const ROUTES = [
  ["/", homePage],
  ["/discover", discover("discoverPage")],
  ["/discover/trending", lazyPage(() => import("./discover/trends.js"), "trendingPage")],
  ["/discover/tags", lazyPage(() => import("./discover/followed_tags.js"), "followedTagsPage")],
  ["/tag/:tag", discover("tagPage")],
  ["/new", uploadPage],
  ["/notifications", notificationsPage],
  ["/lists", lists("listsPage")],
  ["/lists/:id", lists("listPage")],
  ["/lists/:id/accounts", lists("listAccountsPage")],
  ["/saved", saved("savedPage")],
  ["/c/:id", saved("collectionPage")],
  ...SETTINGS_PATHS.map((path) => [path, settingsPage]),
  // The address of the decisions before they had their place in the settings.
  ["/decisions", () => "/settings/decisions"],
  ["/moderation", moderationPage],
  ["/moderation/:id", lazyPage(() => import("./moderation/moderation_case.js"), "moderationCasePage")],
  ["/p/:id", photoPage],
  ["/u/:username", profilePage],
  ["/u/:username/followers", followersPage],
  ["/u/:username/following", followingPage],
  ["/signin", signInPage],
  ["/signin/provider", providerSignInPage],
  ["/signup", signUpPage],
  ["/forgot", forgotPage],
  ["/reset", resetPage],
  ["/verify", verifyPage],
  ["/email-change", emailChangePage],
  ["/oauth/authorize", authorizationPage],
  ["/design", designPage],
];
/** The catalogues of the languages other than English. */
const CATALOGUES = { de: () => import("../texts/de.js"), ar: () => import("../texts/ar.js") };
const SIGNED_OUT_PAGES = new Set([signInPage, signUpPage, providerSignInPage]);
/** Pages without navigation that are open to signed-in users and visitors alike. */
const OPEN_PAGES = new Set([forgotPage, resetPage, verifyPage, emailChangePage, designPage]);

/** After this time without a response, the page is shown as at the last visit. */
const SLOW_START_MS = 8000;
/** The key in sessionStorage of the path to open after signing in, while the browser is at a provider. */
const PATH_KEY = "picshare.path-after-sign-in";

/** The parts of the application, which every page receives, and a photo on its way to the upload page. */
class App extends EventTarget {
  #dropped = null;
  #refused = null;
  /** Whether the shell is drawn without navigation; null before it is drawn. */
  #bare = null;
  /** The path to open after signing in. */
  #pathAfterSignIn = tabValues.get(PATH_KEY) ?? "/";

  constructor(root) {
    super();
    this.api = new Api();
    this.api.prove = async () => (await import("./account/reauthentication.js")).proveIdentity(this);
    this.language = new PageLanguage(async (name) => (await CATALOGUES[name]()).TEXTS);
    this.session = new Session(this.api);
    this.photos = new Photos();
    this.accounts = new Accounts();
    this.toasts = new Toasts();
    this.live = new LiveClient({ ticket: () => this.#ticket() });
    this.notificationCenter = new NotificationCenter(this);
    this.uploads = new Uploads(this);
    this.draft = new UploadDraft(this.session);
    this.lastFeed = new LastFeed(this);
    this.pending = new PendingChanges(this);
    this.pendingTray = new PendingTray(this);
    this.lists = new Lists(this);
    this.installation = new Installation();
    this.push = new Push(this);
    this.shell = new Shell(this);
    this.router = new Router({
      routes: ROUTES,
      outlet: this.shell.main,
      open: (page, params) => this.#open(page, params),
    });
    this.root = root;
  }

  async start() {
    followTheme();
    // The page as it came is drawn before the script draws it again.
    const [error] = await Promise.all([this.#startSession(), nextFrame()]);
    if (error) {
      fill(this.root, unreachablePage(error));
      return;
    }
    fill(this.root, this.shell.element, this.toasts.element);
    this.session.addEventListener("change", ({ detail }) => this.#userChanged(detail));
    this.live.addEventListener("state", ({ detail }) => detail.state === "live" && this.#connected());
    this.push.addEventListener("version", ({ detail: version }) => this.#versionChanged(version));
    this.live.addEventListener("state", ({ detail }) => detail.state === "stopped" && detail.reason && this.#disconnected());
    this.language.addEventListener("chosen", () => this.session.user && (this.session.user.language = this.language.chosen));
    this.router.addEventListener("shown", () => this.shell.pageShown());
    this.router.addEventListener("following", ({ detail: path }) => this.shell.markCurrentLink(path));
    this.live.on("feed", ({ data }) => data.type === "photo.removed" && this.photos.remove(data.photo_id));
    this.live.on("feed", ({ data }) => this.accounts.received(data));
    this.live.on("feed", ({ data }) => data.type === "user.changed" && redrawUser(data.user));
    acceptDrops((files) => this.#drop(files), () => this.session.user !== null);
    pullToRefresh({ refresh: () => this.refresh(), allowed: () => this.router.canRefresh });
    keepTimesUpdated();
    fill(document.querySelector(".skip-link"), t("Skip to content"));
    nameIconButtons();
    handleShortcuts(photoShortcuts(this));
    this.push.register();
    if (this.session.user) this.#begin();
    this.router.start();
  }

  /** Show the page in the language that the user has chosen, perhaps in another browser. */
  async #useLanguageOfAccount() {
    const chosen = this.session.user?.language ?? AUTOMATIC;
    // Without its catalogue the page stays in the language that it has.
    if (chosen !== AUTOMATIC && chosen !== this.language.chosen) await this.language.choose(chosen).catch(() => {});
  }

  /** Load the account of the user, or that of the last visit without a connection; return why there is none to go on with. */
  async #startSession() {
    useFirstResponses(this.api);
    const language = this.language.start();
    const started = this.session.start();
    if (this.api.hasSession()) this.#requestAhead();
    try {
      await inTime(started, SLOW_START_MS);
    } catch (error) {
      const last = error.isOutage ? await this.lastFeed.load(this.session.lastId) : null;
      if (last && !this.session.user) this.session.restoreUser(last.account);
      else if (!this.session.user) return started.then(() => null, (reason) => reason);
    } finally {
      await language;
      await this.#useLanguageOfAccount();
    }
    return null;
  }

  /** The live connection is there, for the first time or again. */
  async #connected() {
    this.push.lookForUpdate();
    try {
      await this.session.refreshRestored();
    } catch {
      // The next connection tries again.
    }
    this.dispatchEvent(new Event("connected"));
  }

  /** Request what the first page shows while the account of the user is being loaded. */
  #requestAhead() {
    const [, kind, name, rest] = location.pathname.split("/");
    if (!kind) this.api.getAhead("/feed", { limit: FEED_PAGE });
    else if (kind === "p" && name && !rest) this.api.getAhead(`/photos/${name}`);
    else if (kind === "u" && name && !rest) this.api.getAhead(`/users/${name}`);
  }

  /** Return the dropped files and forget them; null if there are none. */
  takeDropped() {
    const files = this.#dropped;
    this.#dropped = null;
    return files;
  }

  /** Return the `{files, text}` that another application has shared with this page, and forget them; null if none has. */
  takeShared() {
    return new URLSearchParams(location.search).has("shared") ? takeShared() : null;
  }

  /** Open the upload page to edit a refused upload: `{content, error, dismiss()}`. */
  editRefused(refused) {
    this.#refused = refused;
    this.router.go("/new");
  }

  /** Return the refused upload to edit and forget it. */
  takeRefused() {
    const refused = this.#refused;
    this.#refused = null;
    return refused;
  }

  /** Keep the path to open after signing in, because the browser is going to leave this page for a provider. */
  keepPathAfterSignIn() {
    tabValues.set(PATH_KEY, this.#pathAfterSignIn);
  }

  /** Load the newest content of the shown page; what fails is shown. */
  async refresh() {
    try {
      await this.router.refresh();
    } catch (error) {
      this.toasts.error(error);
    }
  }

  #open(page, params) {
    const visitor = this.session.user === null;
    if (OPEN_PAGES.has(page)) {
      this.#drawShell(true);
      return page(this, params);
    }
    if (visitor && !SIGNED_OUT_PAGES.has(page)) {
      this.#pathAfterSignIn = location.pathname + location.search;
      return "/signin";
    }
    if (!visitor && SIGNED_OUT_PAGES.has(page)) return "/";
    this.#drawShell(SIGNED_OUT_PAGES.has(page) || page === authorizationPage);
    return page ? page(this, params) : notFoundPage();
  }

  #drawShell(bare) {
    if (this.#bare === bare) return;
    this.#bare = bare;
    this.shell.draw({ bare });
  }

  /** The server ended the live connection for good, perhaps because the session has ended on another device. */
  async #disconnected() {
    try {
      await this.session.check();
    } catch {
      // The connection status shows that the page is disconnected, with a button to connect again.
    }
  }

  async #ticket() {
    const { token, url } = await this.api.post("/live/token");
    // The origin of this page, which may differ from that of `url`: the page's policy allows no other.
    return { token, url: new URL(url).pathname };
  }

  #begin() {
    this.live.start({ user: this.session.id });
    this.notificationCenter.begin();
    this.uploads.begin();
    this.push.begin();
    this.draft.begin();
    this.pending.begin();
    this.lastFeed.removeOthers(this.session.id);
  }

  /** There is another version of the application: the next page is loaded from the server, unless that stops an upload. */
  #versionChanged(version) {
    const ours = globalThis.picshareModules?.version;
    if (ours && ours !== version) this.router.expire(() => this.uploads.areSending);
  }

  /** End the session, and remove what this browser keeps of the user. */
  async signOut() {
    const user = this.session.id;
    const unsent = this.pending.all.length;
    const text = tn("{count} change was not sent yet. It is lost if you sign out.", "{count} changes were not sent yet. They are lost if you sign out.", unsent);
    if (unsent > 0 && !(await confirmDialog({ heading: t("Sign out?"), text, action: t("Sign out") }))) return;
    await this.session.signOut();
    forgetAudience(user);
    forgetSearches(user);
    await Promise.all([this.uploads.forget(user), this.draft.forget(user), this.pending.forget(user)]);
  }

  #userChanged({ before, now }) {
    if (before === now) {
      if (now) this.shell.draw({ bare: false });
      return;
    }
    this.live.stop();
    this.#useLanguageOfAccount();
    this.uploads.clear();
    this.pending.clear();
    this.lists.clear();
    tabValues.removeAll("picshare.comment.");
    this.#bare = null;
    if (now) {
      this.#begin();
      const path = this.#pathAfterSignIn;
      this.#pathAfterSignIn = "/";
      tabValues.remove(PATH_KEY);
      history.replaceState(history.state, "", path);
    } else {
      this.push.end();
      this.lastFeed.removeOthers(null);
      this.notificationCenter.refresh();
      history.replaceState(history.state, "", "/signin");
    }
    this.router.reset();
  }

  #drop(files) {
    this.#dropped = files;
    if (location.pathname === "/new") this.dispatchEvent(new Event("dropped"));
    else this.router.go("/new");
  }
}

function notFoundPage() {
  const element = emptyPage("search", t("Page not found"), t("There is no page at this address."), h("a.button", { href: "/" }, t("Go to your feed")));
  return { title: t("Page not found"), element };
}

/** Return what a promise resolves to; throw an `ApiError` of an outage if that takes too long. */
function inTime(promise, ms) {
  const late = new Promise((_resolve, reject) => {
    setTimeout(() => reject(errorFromProblem(0, "")), ms);
  });
  return Promise.race([promise, late]);
}

new App(document.getElementById("app")).start();
