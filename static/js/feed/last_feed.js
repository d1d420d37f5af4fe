/**
 * The first page of the home feed as it was last loaded, with its account and its pictures, for times without a connection.
 *
 * The browser keeps it for the signed-in user alone. It is removed when they sign out, and when another user signs in.
 */

import { wholeImages } from "../elements/picture.js";
import { BrowserStore } from "../service/browser_store.js";

const MAX_PHOTOS = 10;
/** Limits for one picture and for all of them, in bytes; photos beyond are shown by their placeholders. */
const MAX_PICTURE_BYTES = 1_000_000;
const MAX_BYTES = 5_000_000;
/** The column of photos, in CSS pixels, and the most pixels for each of them, as in elements/picture.js. */
const COLUMN_WIDTH = 600;
const MAX_DENSITY = 2;
/** The pictures are fetched after this time, so that nothing on the page waits for them. */
const DELAY_MS = 3000;

export class LastFeed {
  #app;
  #store = new BrowserStore("feeds");
  #timer = null;

  constructor(app) {
    this.#app = app;
  }

  /** Keep the newest photos of the feed some seconds later, unless others come until then. */
  keepSoon(photos) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#keep(photos.slice(0, MAX_PHOTOS)), DELAY_MS);
  }

  /** Return `{account, photos, savedAt}` of a user, or null. The pictures of the photos are in the memory of this page. */
  async load(user) {
    const [record] = user ? await this.#store.list(user) : [];
    if (!record) return null;
    return { account: record.account, savedAt: record.savedAt, photos: record.photos.map(({ photo, picture }) => shown(photo, picture)) };
  }

  /** Return a photo of it, or null. */
  async photo(user, id) {
    return (await this.load(user))?.photos.find((photo) => photo.id === id) ?? null;
  }

  /** Remove what is kept of all users but one, or of all. */
  async removeOthers(user) {
    clearTimeout(this.#timer);
    await this.#store.removeOthers(user);
  }

  async #keep(photos) {
    const { session } = this.#app;
    const account = session.user;
    if (!account) return;
    const kept = [];
    let size = 0;
    for (const photo of photos) {
      const picture = photo.sensitive || navigator.connection?.saveData ? null : await fetchPicture(photo);
      const fits = picture !== null && size + picture.size <= MAX_BYTES;
      size += fits ? picture.size : 0;
      kept.push({ photo, picture: fits ? picture : null });
    }
    // Another user may have signed in while the pictures arrived.
    if (session.id === account.id) await this.#store.replace({ id: account.id, user: account.id, account, photos: kept, size, savedAt: Date.now() });
  }
}

/** Return the first picture of a photo in the size of the feed, or null; the browser has it already if it was shown. */
async function fetchPicture(photo) {
  const url = displayedImage(photo);
  if (!url) return null;
  try {
    const response = await fetch(url);
    const size = Number(response.headers.get("Content-Length"));
    if (!response.ok || size > MAX_PICTURE_BYTES) return null;
    const picture = await response.blob();
    return picture.type.startsWith("image/") && picture.size <= MAX_PICTURE_BYTES ? picture : null;
  } catch {
    return null;
  }
}

/** Return the address of the image that the feed shows on this screen. */
function displayedImage(photo) {
  const width = Math.min(innerWidth, COLUMN_WIDTH) * Math.min(devicePixelRatio, MAX_DENSITY);
  const images = wholeImages(photo).sort((one, other) => one.width - other.width);
  const image = images.find((each) => each.width >= width) ?? images.at(-1);
  return image?.webp ?? image?.jpg ?? photo.urls?.feed ?? null;
}

/** Return a photo as it is shown without a connection: one still picture, and no other address. */
function shown({ items, video, images, ...photo }, picture) {
  const urls = picture ? { feed: URL.createObjectURL(picture) } : {};
  return { ...photo, urls, author: { ...photo.author, avatar_url: null } };
}
