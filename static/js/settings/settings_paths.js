/** The addresses of the settings, which the router knows before their pages are loaded. */

/** Each needs its place in settings.js, and in server/edge/pages.py. */
export const SETTINGS_PATHS = [
  "/settings",
  "/settings/profile",
  "/settings/account",
  "/settings/security",
  "/settings/sessions",
  "/settings/applications",
  "/settings/tokens",
  "/settings/developer",
  "/settings/privacy",
  "/settings/appearance",
  "/settings/notifications",
  "/settings/blocked",
  "/settings/webhooks",
  "/settings/data",
  "/settings/reports",
  "/settings/decisions",
  "/settings/deletion",
  "/settings/close-friends",
  "/settings/provider",
  "/settings/webhooks/:id",
];
