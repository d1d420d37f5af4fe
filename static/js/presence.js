/** Whether a person is online, in words with a dot, kept true as long as the page listens. */

import { fill, h } from "./dom.js";
import { when } from "./time.js";

export class PresenceLine {
  #app;
  #person = null;
  #stop = null;
  element = h("p.presence.quiet.small", { hidden: true });

  constructor(app) {
    this.#app = app;
  }

  /** Show what a profile tells, and from now on what is heard; nothing where it is not ours to know. */
  watch(person) {
    this.leave();
    this.#person = person;
    this.#show(person);
    if (typeof person.online !== "boolean") return;
    this.#stop = this.#app.live.subscribe(`presence:${person.id}`, {
      subscribed: (data) => this.#show(data),
      publication: (data) => data.type === "presence" && this.#show(data),
      resumed: () => this.renew(),
      failed: () => this.#show({}),
    });
  }

  /** Ask anew: something may have been missed, or whether we may know has changed. */
  async renew() {
    if (!this.#person) return;
    const { id } = this.#person;
    try {
      const person = await this.#app.api.get(`/users/${id}`);
      if (this.#person?.id !== id) return;
      if (this.#stop && typeof person.online === "boolean") this.#show(person);
      else this.watch(person);
    } catch {
      this.#show({}); // the next change is told all the same
    }
  }

  /** Listen no more. */
  leave() {
    this.#stop?.();
    this.#stop = null;
    this.#person = null;
  }

  #show({ online, last_seen: lastSeen }) {
    this.element.hidden = !online && !lastSeen;
    this.element.classList.toggle("online", online === true);
    if (online) fill(this.element, h("span.dot", { "aria-hidden": "true" }), "Online");
    else fill(this.element, lastSeen && ["Last seen ", when(lastSeen, { inSentence: true })]);
  }
}
