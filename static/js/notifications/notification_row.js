/** One entry of the list of notifications: who did what, the beginning of a comment, the photo, and a delete button. */

import { h, icon } from "../elements/dom.js";
import { iconOf } from "./notification_center.js";
import { fromServer, t } from "../elements/texts.js";
import { photoPath } from "../photo/photo_image.js";
import { timeElement } from "../elements/time.js";
import { avatar, profilePath } from "../users/user.js";

/** The page of the settings about an event of the account's security, where it is not the one about security. */
const SECURITY_PAGES = { new_sign_in: "/settings/sessions", token_created: "/settings/tokens", application_connected: "/settings/applications" };

/** Create a row; `thumb` is an element for the photo, `on` has the functions `opened()` and `deleted()`. */
export function notificationRow(notification, thumb, on) {
  const { actors, comment, id, kind, position, seen } = notification;
  const text = fromServer(notification);
  const faces = actors.length > 0 ? actors.slice(0, 2).map((user) => avatar(user)) : h("span.notification-icon", {}, icon(iconOf(kind)));
  return h(
    "li",
    { class: seen ? null : "new", data: { notification: id, position } },
    h(
      "a.notification",
      { href: targetOf(notification), onclick: on.opened },
      h("span.avatars", {}, faces),
      h(
        "span.notification-text",
        {},
        h("p", {}, text),
        comment && h("p.secondary.excerpt", { dir: "auto" }, comment.excerpt),
        h("span.secondary.small", {}, timeElement(notification.updated_at ?? notification.created_at)),
      ),
      thumb,
    ),
    h("button.icon-button.small-icon", { type: "button", "aria-label": t("Delete: {text}", { text }), title: t("Delete"), onclick: on.deleted }, icon("close")),
  );
}

function targetOf({ actors, comment, decision_id: decision, kind, photo_id: photo, security, webhook_id: webhook }) {
  if (kind === "report_answered") return "/settings/reports";
  if (photo) return photoPath(photo) + (comment ? `?comment=${comment.id}` : "");
  if (decision) return "/settings/decisions";
  if (kind === "export_ready") return "/settings/data";
  if (security) return SECURITY_PAGES[security.event] ?? "/settings/security";
  if (webhook) return `/settings/webhooks/${webhook}`;
  if (kind.startsWith("webhook_")) return "/settings/webhooks";
  return actors[0] ? profilePath(actors[0]) : "/notifications";
}
