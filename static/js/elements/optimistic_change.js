/**
 * A state that the user switches, for example a like: shown at once, sent afterwards.
 *
 * One request is in progress at a time; if the user has switched again by then, another one follows. An error restores
 * the last state that the server is known to have.
 */
export class OptimisticChange {
  #send;
  #failed;
  #known;
  #wanted;
  #busy = false;

  /** `send(wanted)` resolves when the server has the state; `failed(known, error)` shows the last one that it has. */
  constructor({ send, failed }) {
    this.#send = send;
    this.#failed = failed;
  }

  /** Have the state changed from the one that was shown to another one, which the caller shows. */
  request(shown, wanted) {
    this.#wanted = wanted;
    if (this.#busy) return;
    this.#known = shown;
    this.#run();
  }

  async #run() {
    this.#busy = true;
    try {
      while (this.#wanted !== this.#known) {
        const sent = this.#wanted;
        await this.#send(sent);
        this.#known = sent;
      }
    } catch (error) {
      this.#failed(this.#known, error);
    } finally {
      this.#busy = false;
    }
  }
}
