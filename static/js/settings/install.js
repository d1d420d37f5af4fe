/** The button that installs the application, in browsers that offer it and until it is done. */

import { fill, h, icon } from "../elements/dom.js";
import { t } from "../elements/texts.js";

/** Return `{element, leave}`. */
export function installOffer(app) {
  const element = h("div.install-offer");
  const install = async () => {
    await app.installation.install();
    draw();
  };
  const draw = () =>
    fill(
      element,
      app.installation.isOffered && [
        h("button.button.plain", { type: "button", onclick: install }, icon("plus"), t("Install PicShare")),
        h("p.secondary.small", {}, t("With an icon on your home screen, in a window of its own.")),
      ],
    );
  draw();
  app.installation.addEventListener("change", draw);
  return { element, leave: () => app.installation.removeEventListener("change", draw) };
}
