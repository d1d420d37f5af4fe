/** Repeat what fails for a reason that passes: the network or the service is away for a while. */

import { backoff } from "../../live/protocol.js";

/**
 * Return the result of `action(progressed)`; call it again after every error for which `isTemporary(error)` is true.
 *
 * The delays grow, with jitter, until the action calls `progressed()` or the network is back. They last at least the
 * `retryAfter` seconds of the error, and end early when the browser reports that the network is back. `waiting(error)`
 * is called before each one. Throws every other error, and the reason of `signal` once it is aborted.
 */
export async function retry(action, { isTemporary, waiting, signal }) {
  let attempt = 0;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await action(() => {
        attempt = 0;
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!isTemporary(error)) throw error;
      waiting(error);
      const networkIsBack = await pause(Math.max(backoff(attempt++), (error.retryAfter ?? 0) * 1000), signal);
      if (networkIsBack) attempt = 0;
    }
  }
}

/** Wait until the time has passed, the network is back, or the signal is aborted; return whether the network is back. */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const ended = new AbortController();
    const end = ({ type } = {}) => {
      clearTimeout(timer);
      ended.abort();
      resolve(type === "online");
    };
    const timer = setTimeout(end, ms);
    addEventListener("online", end, { signal: ended.signal });
    signal.addEventListener("abort", end, { signal: ended.signal });
  });
}
