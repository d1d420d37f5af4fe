/** Dropping a photo anywhere on the page opens the page where it is described and shared. */

import { h, icon } from "./dom.js";

/** Call `dropped(file)` for a file dropped anywhere; returns nothing, as it lasts as long as the page. */
export function acceptDrops(dropped, allowed) {
  const veil = h("div.drop-veil", { hidden: true }, icon("image"), "Drop to share this photo");
  document.body.append(veil);
  let depth = 0; // each element entered under the pointer counts once
  const carriesFile = (event) => allowed() && [...(event.dataTransfer?.types ?? [])].includes("Files");
  const show = (change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => carriesFile(event) && show(1));
  addEventListener("dragleave", (event) => carriesFile(event) && show(-1));
  addEventListener("dragover", (event) => carriesFile(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    show(-depth);
    const [file] = event.dataTransfer.files;
    if (file) dropped(file);
  });
}
