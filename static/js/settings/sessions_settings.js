/** The section of the settings with the sessions of the user, each of which can be ended. */

import { confirmDialog, fill, h } from "../elements/dom.js";
import { t, tn } from "../elements/texts.js";
import { timeElement } from "../elements/time.js";

const UNKNOWN = "unknown";

/** Create the page at "/settings/sessions". */
export function sessionsSection(app) {
  const content = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading your sessions") }));
  const load = async () => {
    try {
      draw((await app.api.get("/users/me/sessions")).items);
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: load }, t("Try again"));
      fill(content, h("p.form-error", { role: "alert" }, error.message), again);
    }
  };
  const draw = (items) => {
    const end = async (session) => {
      try {
        await app.api.delete(`/users/me/sessions/${session.id}`);
      } catch (error) {
        // It has ended elsewhere.
        if (error.status !== 404) {
          app.toasts.error(error);
          return;
        }
      }
      await load();
      heading.focus();
    };
    others.hidden = items.length < 2;
    fill(content, h("ul.user-list.panel", {}, items.map((session) => h("li", {}, row(session, end)))));
  };
  const endOthers = async () => {
    const sure = await confirmDialog({
      heading: t("Sign out everywhere else?"),
      text: t("All other browsers and applications have to sign in again."),
      action: t("Sign out"),
    });
    if (!sure) return;
    try {
      const { ended } = await app.api.request("DELETE", "/users/me/sessions", { query: { others: true } });
      app.toasts.show(tn("{count} session has ended.", "{count} sessions have ended.", ended), { iconName: "check" });
    } catch (error) {
      app.toasts.error(error);
    }
    await load();
  };
  const heading = h("h1", { tabindex: "-1" }, t("Sessions"));
  const others = h("button.button.plain", { type: "button", hidden: true, onclick: endOthers }, t("Sign out everywhere else"));
  load();
  const element = h(
    "div",
    {},
    h("div.page-head", {}, heading),
    h(
      "div.settings-parts",
      {},
      h(
        "section.undo-list",
        { "aria-label": t("Sessions") },
        h("p.secondary", {}, t("Where you are signed in. If you do not know one of them, end it and change your password.")),
        content,
        h("div", {}, others),
      ),
    ),
  );
  return { title: t("Sessions"), element };
}

function row(session, end) {
  const name = deviceName(session.device);
  const button = h("button.button.plain.compact", { type: "button", "aria-label": t("Sign out {device}", { device: name }), onclick: () => end(session) }, t("Sign out"));
  return h(
    "div.user-row",
    {},
    h(
      "span.user-names",
      {},
      h("span.name", {}, name),
      h(
        "span.secondary.small",
        {},
        session.network && `${session.network}, `,
        session.current ? t("this session") : t("last seen {time}", { time: timeElement(session.last_seen_at, { inSentence: true }) }),
      ),
    ),
    session.current ? h("span.webhook-state", {}, t("Here")) : button,
  );
}

function deviceName({ browser, system }) {
  if (browser === UNKNOWN) return system === UNKNOWN ? t("Unknown device") : system;
  return system === UNKNOWN ? browser : t("{browser} on {system}", { browser, system });
}
