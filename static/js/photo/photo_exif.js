/** "Camera and exposure": what the owner of a photo reads of its EXIF, and can delete. Others never see it. */

import { confirmDialog, fill, h, icon } from "../elements/dom.js";
import { t } from "../elements/texts.js";

const EMPTY = t("No camera data is stored for this photo.");

/** Return a section that fetches the EXIF of the user's own photo when it is opened. */
export function exifSection(app, photo) {
  const body = h("div.exif-body");
  const element = h("details.exif", {}, h("summary", {}, t("Camera and exposure")), body);
  let loaded = false;

  async function load() {
    if (loaded || !element.open) return;
    loaded = true;
    fill(body, h("div.spinner", { role: "status", "aria-label": t("Loading the camera data") }));
    try {
      show(await app.api.get(`/photos/${photo.id}/exif`));
    } catch (error) {
      loaded = false;
      fill(body, h("p.secondary.small", {}, error.message), h("button.button.plain", { type: "button", onclick: load }, t("Try again")));
    }
  }

  function show(exif) {
    const pictures = exif.items ?? [exif];
    if (pictures.every((one) => rowsOf(one).length === 0 && Object.keys(one.tags).length === 0)) {
      fill(body, h("p.secondary.small", { role: "status" }, EMPTY));
      return;
    }
    const remove = h("button.button.plain", { type: "button", onclick: () => deleteExif(remove) }, icon("trash"), t("Delete camera data"));
    fill(body, h("p.secondary.small", {}, t("Only you can see this.")), pictures.map(section), remove);
  }

  function section(exif, index, { length }) {
    const list = rowsOf(exif).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
    return [length > 1 && h("h3.small", {}, t("Picture {place} of {count}", { place: index + 1, count: length })), h("dl", {}, list)];
  }

  async function deleteExif(button) {
    const agreed = await confirmDialog({
      heading: t("Delete the camera data?"),
      text: t("The photo stays. Your original file keeps its own data."),
      action: t("Delete"),
    });
    if (!agreed || button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    try {
      await app.api.delete(`/photos/${photo.id}/exif`);
      show({ tags: {}, location: null });
      element.querySelector("summary").focus();
    } catch (error) {
      button.removeAttribute("aria-disabled");
      app.toasts.error(error);
    }
  }

  element.addEventListener("toggle", load);
  return element;
}

/** Return pairs of a label and a value for what photographers look for, in the order of cameras' displays. */
export function rowsOf({ tags, location }) {
  const rows = [
    [t("Camera"), camera(tags)],
    [t("Lens"), tags.LensModel],
    [t("Exposure"), exposure(tags.ExposureTime)],
    [t("Aperture"), number(tags.FNumber) && `f/${tags.FNumber}`],
    [t("Sensitivity"), number(tags.ISOSpeedRatings) && `ISO ${tags.ISOSpeedRatings}`],
    [t("Focal length"), number(tags.FocalLength) && t("{number} mm", { number: tags.FocalLength })],
    [t("Camera time"), tags.DateTimeOriginal],
    [t("Position"), location && `${location.latitude}, ${location.longitude}`],
    [t("Altitude"), number(location?.altitude) && t("{number} m", { number: location.altitude })],
  ];
  return rows.filter(([, value]) => value).map(([name, value]) => [String(name), String(value)]);
}

function camera({ Make: make, Model: model }) {
  // Many models begin with the name of their maker.
  if (!make || !model) return model ?? make;
  return String(model).startsWith(make) ? model : `${make} ${model}`;
}

function exposure(seconds) {
  if (!number(seconds)) return null;
  return seconds >= 0.3 ? t("{time} s", { time: seconds }) : t("{time} s", { time: `1/${Math.round(1 / seconds)}` });
}

function number(value) {
  return typeof value === "number" && value !== 0;
}
