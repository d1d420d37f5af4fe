/**
 * The shell of the application for times without a connection: its page, script and styles, in one cache for each version.
 *
 * Nothing else is ever put into a cache: no response of the API, no image, and nothing that was requested with a session.
 */

const CACHES = "picshare-shell-";
/** Versions whose files are kept: the present one, and the one before for pages that were opened with it. */
const KEPT_VERSIONS = 2;
/** The page is that of every path of the application. */
const PAGE = "/";
/** A page that does not arrive within this time is opened from the cache. */
const SLOW_MS = 5000;
/** Statuses of a gateway whose service is away. */
const OUTAGES = [502, 503, 504];

/**
 * Store the files `{version, files}` of a version, the paths of the latter; throws an error if the server has another one.
 *
 * While processes are replaced, one may answer for the version of another. The browser then tries again later.
 */
export async function storeShell({ version, files }) {
  const cache = await caches.open(CACHES + version);
  try {
    await Promise.all([PAGE, ...files].map((path) => storeFile(cache, path, version)));
  } catch (error) {
    await caches.delete(CACHES + version);
    // Without space there are still push messages, only no pages without a connection.
    if (error.name !== "QuotaExceededError") throw error;
  }
}

async function storeFile(cache, path, version) {
  // The page that every visitor gets, without anything of the session.
  const response = await fetch(path, { cache: path === PAGE ? "reload" : "default", credentials: "omit" });
  const isOfVersion = path === PAGE ? (await response.clone().text()).includes(`/static/v-${version}/`) : isKept(response);
  if (!response.ok || !isOfVersion) throw new Error(`${path} is not of the version ${version}`);
  await cache.put(path, response);
}

/** Whether the response has the version that its path names; one of another version is sent, but not to be kept. */
function isKept(response) {
  return response.headers.get("Cache-Control")?.includes("immutable") ?? false;
}

/** Delete the caches of versions that no page needs any more, and those of earlier forms of this worker. */
export async function removeOldShells(version) {
  const names = (await caches.keys()).filter((name) => name.startsWith("picshare-"));
  const shells = names.filter((name) => name.startsWith(CACHES) && name !== CACHES + version);
  const kept = [CACHES + version, ...shells.slice(1 - KEPT_VERSIONS)];
  await Promise.all(names.filter((name) => !kept.includes(name)).map((name) => caches.delete(name)));
}

/** Return the response for a page of the application: from the network, or the shell if that is away or slow. */
export async function pageResponse(event, version) {
  const fetched = Promise.resolve(event.preloadResponse).then((response) => response ?? fetch(event.request));
  event.waitUntil(fetched.catch(() => {}));
  const shell = await caches.match(PAGE, { cacheName: CACHES + version, ignoreVary: true });
  if (!shell) return fetched;
  const slow = new Promise((resolve) => {
    setTimeout(resolve, SLOW_MS, shell);
  });
  try {
    const response = await Promise.race([fetched, slow]);
    return OUTAGES.includes(response.status) ? shell : response;
  } catch {
    return shell;
  }
}

/** Return the response for a file: one of a stored version from its cache, and others from the network first. */
export async function fileResponse(request, version) {
  const { pathname } = new URL(request.url);
  const stored = await caches.match(pathname, { ignoreVary: true });
  if (stored) return stored;
  const prefix = `/static/v-${version}/`;
  try {
    const response = await fetch(request);
    // What is loaded when it is needed first, such as the texts of a language.
    if (pathname.startsWith(`${prefix}joined/`) && response.ok && isKept(response)) await storeLater(version, pathname, response.clone());
    return response;
  } catch (error) {
    const versioned = await caches.match(pathname.replace("/static/", prefix), { ignoreVary: true });
    if (!versioned) throw error;
    return versioned;
  }
}

async function storeLater(version, pathname, response) {
  try {
    const cache = await caches.open(CACHES + version);
    await cache.put(pathname, response);
  } catch {
    // Without space it is fetched again.
  }
}
