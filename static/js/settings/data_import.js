/** The section to import an archive: choose and upload it, follow the import, and see what could not be imported. */

import { fill, h, icon } from "../elements/dom.js";
import { choice } from "../elements/form.js";
import { listed, t, tn } from "../elements/texts.js";
import { ResumableUpload } from "../service/resumable_upload.js";
import { timeElement } from "../elements/time.js";

/** Between two requests while an archive is being worked off, in milliseconds. */
const POLL_INTERVAL = 3000;
const UNFINISHED = new Set(["queued", "running"]);
const STATES = { queued: t("Waiting"), running: t("In progress"), done: t("Done"), failed: t("Failed") };
const SOURCES = { picshare: "PicShare", instagram: "Instagram" };
const AUDIENCES = [
  ["", t("As in the archive, or followers")],
  ["public", t("Everyone")],
  ["followers", t("Followers")],
  ["close_friends", t("Close friends")],
  ["only_me", t("Only me")],
];

export class DataImport {
  #app;
  #timer = 0;
  #ending = new AbortController();
  #list = h("ul.user-list.panel", { hidden: true });
  #progress = h("progress", { max: "1", value: "0", "aria-label": t("Uploading the archive"), hidden: true });
  #file = h("input.visually-hidden", { type: "file", accept: ".zip,application/zip", "aria-label": t("Archive"), tabindex: "-1" });
  #audience = choice("audience", t("Who can see the photos"), AUDIENCES, { value: "", hint: t("You can change it for each photo later.") });
  #button = h("button.button.plain", { type: "button", onclick: () => this.#file.click() }, icon("up"), t("Choose an archive"));
  element;

  constructor(app) {
    this.#app = app;
    this.#file.addEventListener("change", () => this.#import());
    this.element = h(
      "section.data-import",
      { "aria-labelledby": "import-heading" },
      h("h2", { id: "import-heading" }, t("Import photos")),
      h(
        "p.secondary",
        {},
        t("Upload an export of PicShare, or one of Instagram in the format JSON, as you have received it. The photos appear in your profile at their dates. No one is notified, and photos that you have already are left out."),
      ),
      this.#audience.element,
      h("div", {}, this.#file, this.#button),
      this.#progress,
      this.#list,
    );
    this.#load();
  }

  leave() {
    clearTimeout(this.#timer);
    this.#ending.abort();
  }

  async #import() {
    const [file] = this.#file.files;
    if (!file) return;
    this.#button.disabled = true;
    this.#progress.hidden = false;
    try {
      const upload = new ResumableUpload(this.#app.api, file, {
        url: null,
        signal: this.#ending.signal,
        created: () => {},
        progress: (bytes) => (this.#progress.value = bytes / Math.max(file.size, 1)),
        waiting: () => {},
      });
      const body = { upload_id: await upload.send() };
      if (this.#audience.input.value) body.audience = this.#audience.input.value;
      await this.#app.api.post("/users/me/imports", body);
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#app.toasts.error(error);
    }
    this.#file.value = "";
    this.#progress.hidden = true;
    this.#button.disabled = false;
    await this.#load();
  }

  async #load() {
    clearTimeout(this.#timer);
    try {
      this.#draw((await this.#app.api.get("/users/me/imports")).items);
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#app.toasts.error(error);
    }
  }

  #draw(items) {
    if (this.#ending.signal.aborted) return;
    const unfinished = items.some(({ state }) => UNFINISHED.has(state));
    this.#button.disabled = unfinished;
    this.#list.hidden = items.length === 0;
    fill(this.#list, items.map((item) => h("li", {}, this.#row(item))));
    if (unfinished) this.#timer = setTimeout(() => this.#load(), POLL_INTERVAL);
  }

  #row(item) {
    const { state, source, error, failed, created_at: createdAt } = item;
    const names = h(
      "span.user-names",
      {},
      h("span.name", {}, source ? t("{source}, {time}", { source: SOURCES[source], time: timeElement(createdAt, { inSentence: true }) }) : timeElement(createdAt, { inSentence: true })),
      h("span.secondary.small", {}, error ?? facts(item)),
    );
    const show = h("button.text-button", { type: "button", onclick: () => this.#showFailures(item, names, show) }, t("Show what failed"));
    if (failed > 0) names.append(show);
    return h("div.user-row", {}, names, h("span.webhook-state", { role: "status", data: { state } }, STATES[state] ?? state));
  }

  async #showFailures({ id }, names, button) {
    button.disabled = true;
    try {
      const list = h("ul.import-failures.small");
      let cursor = null;
      do {
        const page = await this.#app.api.get(`/users/me/imports/${id}/items`, { state: "failed", limit: 100, ...(cursor && { cursor }) });
        list.append(...page.items.map(({ name, reason }) => h("li", {}, h("b", {}, h("bdi", {}, name)), `: ${reason}`)));
        cursor = page.next;
      } while (cursor && list.children.length < 500);
      if (cursor) list.append(h("li", {}, t("There are more.")));
      clearTimeout(this.#timer); // The next list would replace this one.
      names.append(list);
      button.remove();
    } catch (error) {
      button.disabled = false;
      this.#app.toasts.error(error);
    }
  }
}

function facts({ state, items, imported, skipped, failed }) {
  if (items === null) return t("The archive is being read.");
  const parts = [tn("{imported} of {count} imported", "{imported} of {count} imported", items, { imported })];
  if (skipped > 0) parts.push(tn("{count} there already", "{count} there already", skipped));
  if (failed > 0) parts.push(tn("{count} failed", "{count} failed", failed));
  return [listed(parts, "unit"), state === "done" && imported > 0 && [". ", t("New photos appear as they are processed.")]];
}
