/** Whether a user is online, as a text with a dot, kept up to date live. */

import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { timeElement } from "../elements/time.js";

export class PresenceLine {
  #app;
  #user = null;
  #stop = null;
  element = h("p.presence.secondary.small", { hidden: true });

  constructor(app) {
    this.#app = app;
  }

  /** Show the presence of a user and follow its changes; shows nothing if the viewer may not see it. */
  watch(user) {
    this.leave();
    this.#user = user;
    this.#show(user);
    if (typeof user.online !== "boolean") return;
    this.#stop = this.#app.live.subscribe(`presence:${user.id}`, {
      subscribed: (data) => this.#show(data),
      publication: (data) => data.type === "presence" && this.#show(data),
      resumed: () => this.refresh(),
      failed: () => this.#show({}),
    });
  }

  /** Fetch the presence again: changes may have been missed, or the viewer's permission may have changed. */
  async refresh() {
    if (!this.#user) return;
    const { id } = this.#user;
    try {
      const user = await this.#app.api.get(`/users/${id}`);
      if (this.#user?.id !== id) return;
      if (this.#stop && typeof user.online === "boolean") this.#show(user);
      else this.watch(user);
    } catch {
      this.#show({}); // The next change is still delivered.
    }
  }

  /** Stop following. */
  leave() {
    this.#stop?.();
    this.#stop = null;
    this.#user = null;
  }

  #show({ online, last_seen: lastSeen }) {
    this.element.hidden = !online && !lastSeen;
    this.element.classList.toggle("online", online === true);
    if (online) fill(this.element, h("span.dot", { "aria-hidden": "true" }), t("Online"));
    else fill(this.element, lastSeen && t("Last seen {time}", { time: timeElement(lastSeen, { inSentence: true }) }));
  }
}
