/** The preview of a chosen file: an image, or the beginning of a video. */

import { h } from "./dom.js";
import { isVideo } from "./picture_types.js";

/** Return the preview of a picture {file, preview}, of which an edited one has no file; `failed(element)` is called if there is none. */
export function previewOf({ file, preview }, { alt, failed }) {
  const element = file && isVideo(file)
    ? h("video", { src: preview, muted: true, playsinline: true, preload: "metadata", controls: alt !== "", "aria-label": alt || null })
    : h("img", { src: preview, alt });
  element.addEventListener("error", () => failed(element));
  return element;
}
