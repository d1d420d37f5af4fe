/** Responses of the API that came with the page (server/edge/first_responses.py), so that it shows them without a request. */

/** Give the responses to the requests that ask for them, and note how long the session's token is accepted. */
export function useFirstResponses(api) {
  const element = document.getElementById("first-responses");
  if (!element) return;
  element.remove();
  const { responses, ...token } = JSON.parse(element.textContent);
  api.recordExpiry(token);
  for (const [path, query, body] of responses) api.putAhead(path, query, body);
}
