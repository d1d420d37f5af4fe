/** Accept photos that are dropped or pasted anywhere on the page. */

import { h, icon } from "./dom.js";
import { t } from "./texts.js";

/** Call `dropped(files)` for dropped and pasted files while `allowed()` is true; lasts as long as the page. */
export function acceptDrops(dropped, allowed) {
  const overlay = h("div.drop-overlay", { hidden: true }, icon("image"), t("Drop to share"));
  document.body.append(overlay);
  // `dragenter` and `dragleave` fire for every element under the pointer, so they are counted.
  let depth = 0;
  const carriesFile = (event) => allowed() && [...(event.dataTransfer?.types ?? [])].includes("Files");
  const show = (change) => {
    depth = Math.max(0, depth + change);
    overlay.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => carriesFile(event) && show(1));
  addEventListener("dragleave", (event) => carriesFile(event) && show(-1));
  addEventListener("dragover", (event) => carriesFile(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    show(-depth);
    const files = [...event.dataTransfer.files];
    if (files.length > 0) dropped(files);
  });
  addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData ?? { files: [], types: [] };
    // Programs for texts copy a picture of them along: into a field goes the text.
    const isText = types.includes("text/plain") && event.target.closest?.("input, textarea, [contenteditable]");
    if (files.length === 0 || isText || !allowed() || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    dropped([...files]);
  });
}
