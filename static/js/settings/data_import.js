/** The section to import an archive: choose and upload it, follow the import, and see what could not be imported. */

import { fill, h, icon } from "../elements/dom.js";
import { choice } from "../elements/form.js";
import { ResumableUpload } from "../service/resumable_upload.js";
import { timeElement } from "../elements/time.js";

/** Between two requests while an archive is being worked off, in milliseconds. */
const POLL_INTERVAL = 3000;
const UNFINISHED = new Set(["queued", "running"]);
const STATES = { queued: "Waiting", running: "In progress", done: "Done", failed: "Failed" };
const SOURCES = { picshare: "PicShare", instagram: "Instagram" };
const AUDIENCES = [
  ["", "As in the archive, or followers"],
  ["public", "Everyone"],
  ["followers", "Followers"],
  ["close_friends", "Close friends"],
  ["only_me", "Only me"],
];

export class DataImport {
  #app;
  #timer = 0;
  #ending = new AbortController();
  #list = h("ul.user-list.panel", { hidden: true });
  #progress = h("progress", { max: "1", value: "0", "aria-label": "Uploading the archive", hidden: true });
  #file = h("input.visually-hidden", { type: "file", accept: ".zip,application/zip", "aria-label": "Archive", tabindex: "-1" });
  #audience = choice("audience", "Who can see the photos", AUDIENCES, { value: "", hint: "You can change it for each photo later." });
  #button = h("button.button.plain", { type: "button", onclick: () => this.#file.click() }, icon("up"), "Choose an archive");
  element;

  constructor(app) {
    this.#app = app;
    this.#file.addEventListener("change", () => this.#import());
    this.element = h(
      "section.data-import",
      { "aria-labelledby": "import-heading" },
      h("h2", { id: "import-heading" }, "Import photos"),
      h(
        "p.secondary",
        {},
        "Upload an export of PicShare, or one of Instagram in the format JSON, as you have received it. The photos appear in your profile at their dates. No one is notified, and photos that you have already are left out.",
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
      h("span.name", {}, source ? `${SOURCES[source]}, ` : "", timeElement(createdAt, { inSentence: true })),
      h("span.secondary.small", {}, error ?? facts(item)),
    );
    const show = h("button.text-button", { type: "button", onclick: () => this.#showFailures(item, names, show) }, "Show what failed");
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
        list.append(...page.items.map(({ name, reason }) => h("li", {}, h("b", { dir: "auto" }, name), `: ${reason}`)));
        cursor = page.next;
      } while (cursor && list.children.length < 500);
      if (cursor) list.append(h("li", {}, "There are more."));
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
  if (items === null) return "The archive is being read.";
  const parts = [`${imported} of ${items} imported`];
  if (skipped > 0) parts.push(`${skipped} there already`);
  if (failed > 0) parts.push(`${failed} failed`);
  return parts.join(", ") + (state === "done" && imported > 0 ? ". New photos appear as they are processed." : "");
}
