// Subscribe with the unmodified graphql-ws or graphql-sse: node graphql_client.mjs PROTOCOL URL TOKEN QUERY VARIABLES.
// Prints each result as a line, until standard input ends or the subscription does.

import { createClient as createEventClient } from "graphql-sse";
import { createClient as createSocketClient } from "graphql-ws";
import { WebSocket } from "ws";

const [protocol, url, token, query, variables] = process.argv.slice(2);
const print = (value) => console.log(JSON.stringify(value));
const clients = {
  ws: () =>
    createSocketClient({
      url: url.replace("http", "ws"),
      webSocketImpl: WebSocket,
      connectionParams: async () => ({ token }),
    }),
  sse: () => createEventClient({ url, headers: { Authorization: `Bearer ${token}` } }),
};
const client = clients[protocol]();
client.subscribe(
  { query, variables: JSON.parse(variables) },
  { next: print, error: (error) => print({ failed: error }), complete: () => print("complete") },
);
process.stdin.on("end", () => client.dispose()).resume();
