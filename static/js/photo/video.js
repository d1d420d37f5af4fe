/** The player of a video, over the image of its poster: it plays when the user starts it, and never by itself. */

import { h, icon } from "../elements/dom.js";

/** In milliseconds, until a video that cannot be loaded is tried again. */
const RETRY_DELAY = 2000;
const MAX_TRIES = 3;

/**
 * Put a player into the frame that shows the poster; `label` describes it, `refetch()` fetches the photo again.
 *
 * A photo without `video` is left as it is. Nothing of a video is loaded before it is started.
 */
export function addVideo(frame, photo, { label, refetch = null }) {
  if (!photo.video) return;
  const { url, width, height } = photo.video;
  const player = h("video.player", { controls: true, playsinline: true, preload: "none", src: url, width, height, "aria-label": label });
  const image = frame.querySelector("img");
  // The poster is the image that the browser has chosen and loaded already.
  const showPoster = () => (player.poster = image.currentSrc);
  image?.addEventListener("load", showPoster);
  if (image?.complete && image.naturalWidth > 0) showPoster();
  // A tap on the player is none on the photo, which would open its page or like it.
  for (const type of ["click", "dblclick", "pointerdown"]) player.addEventListener(type, (event) => event.stopPropagation());
  let failures = 0;
  player.addEventListener("error", async () => {
    failures += 1;
    if (failures > MAX_TRIES) return;
    const { currentTime } = player;
    await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
    // The address of a private video may have expired, or the video may be being made again.
    const current = await refetch?.().catch(() => null);
    player.src = current?.video?.url ?? player.src;
    player.currentTime = currentTime;
    player.play().catch(() => {}); // the user may have to start it again
  });
  frame.append(player);
}

/** Return the sign that an image in a list is that of a video, or null. */
export function videoMark(photo) {
  return photo.video ? h("span.several", {}, icon("play")) : null;
}
