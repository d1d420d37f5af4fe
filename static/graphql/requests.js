/** Send operations to the GraphQL interface with the session of the browser. */

const SERVER = "/graphql";
const RENEWAL = "/api/v1/tokens/refresh";

/** Return the value of a cookie that scripts may read, or "". */
function cookie(name) {
  const found = document.cookie.split("; ").find((each) => each.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

/** Return whether the browser has a session. */
export function hasSession() {
  return cookie("picshare_csrf") !== "";
}

/** Send a POST with JSON; a browser's session needs its CSRF token. */
function post(path, body) {
  const headers = { "Content-Type": "application/json", Accept: "application/graphql-response+json, application/problem+json" };
  const token = cookie("picshare_csrf");
  if (token) headers["X-CSRF-Token"] = token;
  return fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Execute an operation; return its status and its JSON. An access token that has expired is renewed once. */
export async function execute(query, variables = {}) {
  let response = await post(SERVER, { query, variables });
  if (response.status === 401 && hasSession() && (await post(RENEWAL, {})).ok) {
    response = await post(SERVER, { query, variables });
  }
  return { status: response.status, body: await response.json() };
}
