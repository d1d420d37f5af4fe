/**
 * Push messages in this browser: the service worker, and the subscription that the server sends them to.
 *
 * `state` is one of "unavailable" (this browser or server has no push messages), "install" (iPhones and iPads have them
 * in installed applications alone), "denied" (the user has blocked notifications), "off" and "on". A "change" event
 * follows each change.
 */

import { deviceValues } from "../elements/kept_values.js";
import { afterLoad } from "../elements/later.js";
import { t } from "../elements/texts.js";

const WORKER = "/sw.js";
/** The key in localStorage for the user who has subscribed in this browser, and when the server got it. */
const RECORD_KEY = "picshare.push";
/** The server gets the subscription again after this time, in case that it has given it up. */
const STORE_AGAIN_MS = 24 * 3600 * 1000;

export class Push extends EventTarget {
  #app;
  #registration = null;
  #registered = null;
  #key = null;
  #began = null;
  state = "unavailable";

  constructor(app) {
    super();
    this.#app = app;
  }

  /** Whether the user has never been asked for permission. */
  get isNew() {
    return this.state === "off" && Notification.permission === "default";
  }

  /** Whether messages have neither names nor comments. */
  get hidesContent() {
    return record()?.hidesContent ?? false;
  }

  /** Register the service worker, which shows a page without a connection as well; it loads all files, so the page comes first. */
  register() {
    // A worker from before may have a message for the page already.
    navigator.serviceWorker?.addEventListener("message", ({ data }) => this.#received(data));
    this.#registered = afterLoad().then(() => this.#register());
  }

  /** Look for a new version of the application, for example after an interruption. */
  async lookForUpdate() {
    try {
      await this.#registration?.update();
    } catch {
      // The browser looks again by itself, at the latest after a day.
    }
  }

  /** Find out the state for the signed-in user, and renew the subscription. */
  begin() {
    this.#began = this.#begin().catch(() => this.#set("unavailable"));
    return this.#began;
  }

  /** Ask for permission and subscribe. Browsers want it to follow a click. */
  async turnOn({ hidesContent = false } = {}) {
    if ((await Notification.requestPermission()) !== "granted") {
      this.#set(Notification.permission === "denied" ? "denied" : "off");
      return;
    }
    await this.#store(await this.#subscribe(), { hidesContent });
    this.#set("on");
  }

  /** End the subscription here and on the server. */
  async turnOff() {
    const id = record()?.id;
    await this.#unsubscribe();
    this.#set("off");
    if (!id) return;
    try {
      await this.#app.api.delete(`/push/subscriptions/${id}`);
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }

  /** Change whether messages have names and comments. */
  async hideContent(hidesContent) {
    const subscription = await this.#registration?.pushManager.getSubscription();
    if (subscription) await this.#store(subscription, { hidesContent });
  }

  /** End the subscription in this browser; on the server it ends with the session. */
  async end() {
    try {
      await this.#began;
      await this.#unsubscribe();
      // Their buttons would act for the next user.
      for (const shown of (await this.#registration?.getNotifications()) ?? []) shown.close();
    } catch {
      // The push service refuses messages to a session that has ended, since the server sends none.
    }
    this.#set("unavailable");
  }

  async #begin() {
    await this.#registered;
    const user = this.#app.session.id;
    if (!this.#registration?.pushManager || !(t("Notification") in globalThis)) {
      this.#set(isUninstalledOnIos() ? "install" : "unavailable");
      return;
    }
    this.#key = (await this.#app.api.get("/push/key")).key;
    if (!this.#key) {
      this.#set("unavailable");
      return;
    }
    if (record() && record().user !== user) await this.#unsubscribe();
    const subscription = await this.#registration.pushManager.getSubscription();
    if (Notification.permission === "denied") this.#set("denied");
    else if (!subscription || !record()) this.#set("off");
    else {
      this.#set("on");
      await this.#renew(subscription);
    }
  }

  async #register() {
    const workers = navigator.serviceWorker;
    if (!workers) return;
    try {
      const registration = await workers.register(WORKER, { updateViaCache: "none" });
      if (registration) this.#registration = await workers.ready;
    } catch (error) {
      console.info("The service worker is not available:", error.message);
    }
  }

  /** Store the subscription if the server may not have it, and replace one for a former key of the server. */
  async #renew(subscription) {
    const { endpoint, at } = record();
    const key = subscription.options?.applicationServerKey;
    if (key && encoded(key) !== this.#key) {
      await subscription.unsubscribe();
      await this.#store(await this.#subscribe());
    } else if (endpoint !== subscription.endpoint || Date.now() - at > STORE_AGAIN_MS) await this.#store(subscription);
  }

  #subscribe() {
    return this.#registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: this.#key });
  }

  async #store(subscription, { hidesContent } = {}) {
    const { endpoint, keys } = subscription.toJSON();
    const stored = await this.#app.api.post("/push/subscriptions", { endpoint, keys, hide_content: hidesContent });
    const { id, hide_content: hides } = stored;
    deviceValues.set(RECORD_KEY, JSON.stringify({ user: this.#app.session.id, endpoint, id, hidesContent: hides, at: Date.now() }));
    this.dispatchEvent(new Event("change"));
  }

  async #unsubscribe() {
    deviceValues.remove(RECORD_KEY);
    const subscription = await this.#registration?.pushManager?.getSubscription();
    await subscription?.unsubscribe();
  }

  #received(data) {
    if (data?.type === "version") this.dispatchEvent(new CustomEvent("version", { detail: data.version }));
    if (data?.type === "navigate" && this.#app.session.user) this.#app.router.go(data.path);
    if (data?.type === "push.changed" && this.state === "on") this.begin();
  }

  #set(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

/** Show the number of unseen notifications on the icon of the installed application. */
export async function showAppBadge(number) {
  try {
    await (number > 0 ? navigator.setAppBadge?.(number) : navigator.clearAppBadge?.());
  } catch {
    // The application is not installed here.
  }
}

function record() {
  return deviceValues.getObject(RECORD_KEY);
}

/** Return a key in base64url. */
function encoded(buffer) {
  const text = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Whether this is Safari on an iPhone or iPad, outside an installed application. */
function isUninstalledOnIos() {
  return navigator.standalone === false;
}
