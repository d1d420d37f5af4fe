/**
 * PicShare's live client for browsers: one connection for all tabs of a person, which comes back by itself and
 * misses nothing. It needs no other library.
 *
 *     import { LiveClient } from "/static/live.js";
 *
 *     const live = new LiveClient({ ticket });          // async () => ({ token, url }), of POST /api/v1/live/token
 *     live.on("feed", ({ data }) => …);                 // streams the server subscribes their owner to
 *     live.onGap("feed", () => …);                      // what was missed cannot be told: fetch anew
 *     live.fetched("feed", answer.stream);              // of GET /api/v1/feed: what came before the connection counts, too
 *     const end = live.subscribe("photo:01ABC…", { publication: (data) => …, resumed: () => …, failed: (error) => … });
 *     live.addEventListener("state", ({ detail }) => …);   // {state, retryInMs?, reason?}
 *     live.start({ person: user.id });                  // until live.stop(), when the person signs out
 *
 * States: "connecting", "live", "waiting" (an interruption; the next attempt comes in `retryInMs`, or with
 * `live.retryNow()`), "offline" (the same, and the browser knows of no network), "stopped" (by `stop()`, or for good
 * by the server, with a `reason`).
 *
 * `ticket` is asked for a one-use token before every connection. If it raises an error with `status` 401 or 403
 * the client stops, because the session is over; any other error counts as an interruption, and its `retryAfter`
 * (seconds) is respected.
 *
 * How it works is told in docs/live.md, and why in docs/design.md.
 */

export { LiveClient } from "./live/client.js";
