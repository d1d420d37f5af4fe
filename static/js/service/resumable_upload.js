/**
 * A client of tus 1.0 (https://tus.io/protocols/resumable-upload): sends a file in as many requests as the network needs.
 *
 * The server knows how much has arrived, so an upload goes on after any interruption, also in another page: its address
 * is all that has to be kept.
 */

import { ApiError, errorFromProblem } from "./api.js";
import { isVideo } from "../elements/picture_types.js";
import { retry } from "./retry.js";
import { t } from "../elements/texts.js";

const PATH = "/api/v1/uploads/tus";
const ARCHIVE_TYPE = "application/zip";
const VERSION = { "Tus-Resumable": "1.0.0" };
/** A request is given up if nothing of it was sent or received for this time. */
const STALL_MS = 60_000;
/** Statuses that pass: no network, a slow or locked upload (423), bytes that were damaged on their way (460), an overload. */
const TEMPORARY_STATUSES = [0, 408, 423, 425, 429, 460, 502, 503, 504];
/** Codes after which the next round asks for the offset, or creates the upload again. */
const TEMPORARY_CODES = ["offset_conflict", "upload_not_found"];

export class ResumableUpload {
  #api;
  #file;
  #url;
  #events;
  #signal;

  /**
   * `url` is the address of an upload of the same file that was created before, or null.
   *
   * `created(url)` reports the address of a new one, `progress(bytes)` how much was sent, and `waiting(error)` that a
   * request failed and is repeated later. `signal` ends the upload.
   */
  constructor(api, file, { url, signal, created, progress, waiting }) {
    this.#api = api;
    this.#file = file;
    this.#url = url;
    this.#signal = signal;
    this.#events = { created, progress, waiting };
  }

  /** Send what has not arrived yet, and return the id of the upload; throws `ApiError` if the server refuses it. */
  async send() {
    const isTemporary = ({ status, code }) => TEMPORARY_STATUSES.includes(status) || TEMPORARY_CODES.includes(code);
    await retry((progressed) => this.#sendRest(progressed), { isTemporary, waiting: this.#events.waiting, signal: this.#signal });
    return this.#url.slice(this.#url.lastIndexOf("/") + 1);
  }

  async #sendRest(progressed) {
    await requireReadable(this.#file);
    let offset = (this.#url && (await this.#fetchOffset())) ?? (await this.#create());
    this.#events.progress(offset);
    while (offset < this.#file.size) {
      offset = await this.#append(offset);
      progressed();
    }
  }

  /** Return how many bytes the server has, or null if it does not know the upload any more. */
  async #fetchOffset() {
    try {
      return offsetOf(await this.#request("HEAD", this.#url));
    } catch (error) {
      if (error.status !== 404 && error.status !== 410) throw error;
      return null;
    }
  }

  async #create() {
    const response = await this.#request("POST", PATH, { headers: { "Upload-Length": String(this.#file.size), ...metadataOf(this.#file) } });
    // Without an address, a network has sent a page of its own.
    if (!response.header("Location")) throw errorFromProblem(0, "");
    // The path alone: behind a proxy, the server may give itself another origin, which the page's policy does not allow.
    this.#url = new URL(response.header("Location"), new URL(PATH, location.origin)).pathname;
    this.#events.created(this.#url);
    return 0;
  }

  async #append(offset) {
    const response = await this.#request("PATCH", this.#url, {
      headers: { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) },
      body: this.#file.slice(offset),
      progress: (sent) => this.#events.progress(offset + sent),
    });
    const next = offsetOf(response);
    if (next <= offset) throw errorFromProblem(502, "");
    return next;
  }

  /** Delete an upload from the server. */
  static async remove(api, url) {
    const signal = AbortSignal.timeout(STALL_MS);
    await authorizedRequest(api, "DELETE", url, { signal });
  }

  #request(method, url, options) {
    return authorizedRequest(this.#api, method, url, { ...options, signal: this.#signal });
  }
}

/** Return the header with the type of a video or an archive: these may be larger, and some servers take no videos. */
function metadataOf(file) {
  const type = isVideo(file) ? file.type : /\.zip$/i.test(file.name) ? ARCHIVE_TYPE : null;
  return type ? { "Upload-Metadata": `filetype ${btoa(type)}` } : {};
}

function offsetOf(response) {
  const text = response.header("Upload-Offset");
  if (!/^\d+$/.test(text ?? "")) throw errorFromProblem(502, "");
  return Number(text);
}

/** Throw an `ApiError` if the file was changed or removed on the device since it was chosen. */
async function requireReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new ApiError(422, { code: "file_unreadable", detail: t("The file has changed or is gone. Choose it again.") });
  }
}

async function authorizedRequest(api, method, url, { headers = {}, ...options }) {
  const send = () => exchange(method, url, { headers: { ...VERSION, ...api.writeHeaders(), ...headers }, ...options });
  const response = await api.authorized(send);
  if (response.status >= 200 && response.status < 300) return response;
  throw errorFromProblem(response.status, response.text, Number(response.header("Retry-After")) || 0);
}

/** Send a request by XMLHttpRequest, because fetch() does not report how much of a body was sent. */
function exchange(method, url, { headers, body = null, progress = () => {}, signal }) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    let stalled = null;
    const alive = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => request.abort(), STALL_MS);
    };
    const abort = () => request.abort();
    request.open(method, url);
    for (const [name, value] of Object.entries({ Accept: "application/json", ...headers })) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded }) => {
      alive();
      progress(loaded);
    });
    request.addEventListener("loadend", () => {
      clearTimeout(stalled);
      signal.removeEventListener("abort", abort);
      if (request.status === 0) reject(errorFromProblem(0, ""));
      else resolve({ status: request.status, text: request.responseText, header: (name) => request.getResponseHeader(name) });
    });
    signal.addEventListener("abort", abort);
    alive();
    request.send(body);
  });
}
