/** The client of the API in the service worker, which reads cookies in another way than a page. */

import { Api } from "../service/api.js";

export class WorkerApi extends Api {
  #token;

  /** Return the client of the browser's session, or null without one or where workers cannot read cookies. */
  static async open() {
    const cookie = await globalThis.cookieStore?.get("picshare_csrf");
    return cookie ? new WorkerApi(decodeURIComponent(cookie.value)) : null;
  }

  constructor(token) {
    super();
    this.#token = token;
    this.bindToSession();
  }

  readToken() {
    return this.#token;
  }

  /** When the access token expires is known to pages alone; here a 401 reports it. */
  async ensureFresh() {}
}
