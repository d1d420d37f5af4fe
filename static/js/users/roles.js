/** What the roles of users permit. */

/** Return whether a user may work on cases. */
export function isModerator(user) {
  return user?.role === "moderator" || user?.role === "admin";
}
