/** When to do what the user does not wait for: after the next frame, or in a moment without other work. */

/** In milliseconds. A tab in the background draws no frames, and a busy page is never idle. */
const FRAME_MS = 200;
const IDLE_MS = 1000;
/** A picture may never arrive. */
const LOAD_MS = 10_000;

/** Return a promise that is resolved after the next frame is drawn. */
export function nextFrame() {
  return new Promise((resolve) => {
    if (!document.hidden) requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, document.hidden ? 0 : FRAME_MS);
  });
}

/** Return a promise that is resolved when the browser has nothing else to do. */
export function idle() {
  return new Promise((resolve) => {
    // Safari does not say when it is idle.
    if (globalThis.requestIdleCallback) requestIdleCallback(() => resolve(), { timeout: IDLE_MS });
    else setTimeout(resolve, FRAME_MS);
  });
}

/** Return a promise that is resolved when the page and its first pictures are loaded, and the browser is idle. */
export async function afterLoad() {
  const loaded = (resolve) => {
    addEventListener("load", resolve, { once: true });
    setTimeout(resolve, LOAD_MS);
  };
  if (document.readyState !== "complete") await new Promise(loaded);
  await idle();
}
