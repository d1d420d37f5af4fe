/** Passkeys among the suggestions of the browser for the user name (conditional mediation, WebAuthn Level 3). */

import { answerByPasskey, passkeysAvailable } from "./passkeys.js";

/** Challenges are valid for five minutes. */
const RENEW_MS = 4 * 60 * 1000;
const CHECK_MS = 30 * 1000;

export class PasskeyAutofill {
  #app;
  #signIn;
  #active = false;
  #request = null;
  #begun = 0;
  #timer = null;

  /** `signIn(credential)` signs in with the passkey that the user has chosen, and shows its errors itself. */
  constructor(app, signIn) {
    this.#app = app;
    this.#signIn = signIn;
  }

  /** Offer passkeys until `stop`. A browser has one request for passkeys at a time, so stop before another one. */
  async start() {
    this.#active = true;
    if (!passkeysAvailable() || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    // It may have been stopped or started again meanwhile.
    if (!this.#active || this.#timer) return;
    this.#timer = setInterval(() => this.#renew(), CHECK_MS);
    this.#offer();
  }

  stop() {
    this.#active = false;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#request?.abort();
  }

  /** Offer them with another challenge before the present one is too old; a hidden tab does so when it is shown. */
  #renew() {
    if (document.hidden || Date.now() - this.#begun < RENEW_MS) return;
    this.#request?.abort();
    this.#offer();
  }

  async #offer() {
    const request = new AbortController();
    this.#request = request;
    this.#begun = Date.now();
    const credential = await this.#chosen(request.signal);
    // After a passkey that is refused, others are offered by the button, and here with the next challenge.
    if (credential && !request.signal.aborted) await this.#signIn(credential);
  }

  /** Wait for the user's choice; null without one. */
  async #chosen(signal) {
    try {
      const { public_key: options } = await this.#app.api.post("/passkeys/challenge", undefined, { anonymous: true });
      return signal.aborted ? null : await answerByPasskey(options, { mediation: "conditional", signal });
    } catch {
      // The user has asked for nothing, so no error is shown: the button and the form have their own.
      return null;
    }
  }
}
