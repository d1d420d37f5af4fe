/** The composition root of the web application: builds every part, tells each what it needs, and starts. */

import { LiveClient } from "../live.js";
import { Api } from "./api.js";
import { discoverPage, tagPage } from "./discover.js";
import { blank, fill, h } from "./dom.js";
import { acceptDrops } from "./dropping.js";
import { homePage } from "./feed.js";
import { Notices } from "./notices.js";
import { notificationsPage } from "./notifications.js";
import { followersPage, followingPage } from "./people_list.js";
import { photoPage } from "./photo_page.js";
import { Photos } from "./photos.js";
import { profilePage } from "./profile.js";
import { Router } from "./router.js";
import { Session } from "./session.js";
import { settingsPage } from "./settings.js";
import { Shell } from "./shell.js";
import { keepTimesFresh } from "./time.js";
import { Toasts } from "./toasts.js";
import { uploadPage } from "./upload.js";
import { Uploads } from "./uploads.js";
import { signInPage, signUpPage } from "./welcome.js";

const ROUTES = [
  ["/", homePage],
  ["/discover", discoverPage],
  ["/tag/:tag", tagPage],
  ["/new", uploadPage],
  ["/notifications", notificationsPage],
  ["/settings", settingsPage],
  ["/p/:id", photoPage],
  ["/u/:username", profilePage],
  ["/u/:username/followers", followersPage],
  ["/u/:username/following", followingPage],
  ["/signin", signInPage],
  ["/signup", signUpPage],
];
const FOR_VISITORS = new Set([signInPage, signUpPage]);

/** What pages are given: the parts by name, and a file that was dropped and waits to be shared. */
class App extends EventTarget {
  #dropped = null;
  /** Whether the frame shows a page without navigation; null before there is a frame. */
  #bare = null;
  /** Where a visitor wanted to go before signing in. */
  #wanted = "/";

  constructor(root) {
    super();
    this.api = new Api();
    this.session = new Session(this.api);
    this.photos = new Photos();
    this.toasts = new Toasts();
    this.live = new LiveClient({ ticket: () => this.#ticket() });
    this.notices = new Notices(this);
    this.uploads = new Uploads(this);
    this.shell = new Shell(this);
    this.router = new Router({
      routes: ROUTES,
      outlet: this.shell.main,
      open: (page, params) => this.#open(page, params),
    });
    this.root = root;
  }

  async start() {
    try {
      await this.session.start();
    } catch (error) {
      const again = h("button.button", { type: "button", onclick: () => location.reload() }, "Try again");
      fill(this.root, blank("cloud", "PicShare did not answer", error.message, again));
      return;
    }
    fill(this.root, this.shell.element, this.toasts.element);
    this.session.addEventListener("change", ({ detail }) => this.#personChanged(detail));
    this.live.addEventListener("state", ({ detail }) => detail.state === "stopped" && detail.reason && this.#refused());
    this.router.addEventListener("shown", () => this.shell.mark());
    this.live.on("feed", ({ data }) => data.type === "photo.removed" && this.photos.remove(data.photo_id));
    acceptDrops((file) => this.#drop(file), () => this.session.user !== null);
    keepTimesFresh();
    if (this.session.user) this.#begin();
    this.router.start();
  }

  /** Return the file that was dropped, once. */
  takeDropped() {
    const file = this.#dropped;
    this.#dropped = null;
    return file;
  }

  #open(page, params) {
    const visitor = this.session.user === null;
    if (visitor && !FOR_VISITORS.has(page)) {
      this.#wanted = location.pathname + location.search;
      return "/signin";
    }
    if (!visitor && FOR_VISITORS.has(page)) return "/";
    this.#frame(FOR_VISITORS.has(page));
    return page ? page(this, params) : nothingHere();
  }

  #frame(bare) {
    if (this.#bare === bare) return;
    this.#bare = bare;
    this.shell.draw({ bare });
  }

  /** The server ended the live connection for good: perhaps the session was ended, in another tab or elsewhere. */
  async #refused() {
    try {
      await this.session.check();
    } catch {
      // The page says that it is disconnected and offers to connect again.
    }
  }

  async #ticket() {
    const { token, url } = await this.api.post("/live/token");
    // On this page's own origin, by whatever name the reader reached it: the page's policy allows no other.
    return { token, url: new URL(url).pathname };
  }

  #begin() {
    this.live.start({ user: this.session.id });
    this.notices.begin();
  }

  #personChanged({ before, now }) {
    if (before === now) {
      if (now) this.shell.draw({ bare: false });
      return;
    }
    this.live.stop();
    this.uploads.clear();
    this.#bare = null;
    if (now) {
      this.#begin();
      const path = this.#wanted;
      this.#wanted = "/";
      history.replaceState(history.state, "", path);
    } else {
      history.replaceState(history.state, "", "/signin");
    }
    this.router.reset();
  }

  #drop(file) {
    this.#dropped = file;
    if (location.pathname === "/new") this.dispatchEvent(new Event("dropped"));
    else this.router.go("/new");
  }
}

function nothingHere() {
  const element = blank("search", "Nothing here", "This address leads nowhere.", h("a.button", { href: "/" }, "To the feed"));
  return { title: "Nothing here", element };
}

new App(document.getElementById("app")).start();
