/**
 * PicShare's live client for browsers: one connection for all tabs of a user, which reconnects by itself and misses
 * nothing. It has no dependencies.
 *
 *     import { LiveClient } from "/static/live.js";
 *
 *     const live = new LiveClient({ ticket });          // async () => ({ token, url }), from POST /api/v1/live/token
 *     live.on("feed", ({ data }) => …);                 // a stream that the server subscribes the user to
 *     live.onGap("feed", () => …);                      // publications were missed for good: fetch the feed again
 *     live.fetched("feed", response.stream);            // of GET /api/v1/feed: covers the time before the connection
 *     const end = live.subscribe("photo:01ABC…", { publication: (data) => …, resumed: () => …, failed: (error) => … });
 *     live.addEventListener("state", ({ detail }) => …);   // {state, retryInMs?, reason?}
 *     live.start({ user: user.id });                    // until live.stop(), when the user signs out
 *
 * States: "connecting", "live", "waiting" (interrupted; the next attempt follows in `retryInMs`, or with
 * `live.retryNow()`), "offline" (the same, and the browser has no network), "stopped" (by `stop()`, or for good by the
 * server, with a `reason`).
 *
 * `ticket` is called for a one-use token before every connection. If it throws an error with `status` 401 or 403 the
 * client stops, because the session is over. Any other error counts as an interruption, and its `retryAfter` (seconds)
 * is respected.
 *
 * docs/live.md describes how it works, and docs/design.md gives the reasons.
 */

export { LiveClient } from "./live/client.js";
