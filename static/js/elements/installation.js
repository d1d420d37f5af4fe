/** The browser's offer to install the application, kept until the user asks for it: no page shows it by itself. */

export class Installation extends EventTarget {
  #offer = null;

  constructor() {
    super();
    addEventListener("beforeinstallprompt", (event) => {
      event.preventDefault();
      this.#set(event);
    });
    addEventListener("appinstalled", () => this.#set(null));
  }

  get isOffered() {
    return this.#offer !== null;
  }

  /** Have the browser ask the user. It does so once for each offer. */
  async install() {
    const offer = this.#offer;
    this.#set(null);
    await offer?.prompt();
  }

  #set(offer) {
    this.#offer = offer;
    this.dispatchEvent(new Event("change"));
  }
}
