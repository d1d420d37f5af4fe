// Node `ws`: the broadcast of its documentation, a loop over the clients. The bytes are sent unchanged, as text.
import { WebSocket, WebSocketServer } from "ws";

import { listenForMessages } from "./publisher.mjs";

const [clientPort, commandPort] = process.argv.slice(2).map(Number);
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: clientPort,
  backlog: 1024,
  perMessageDeflate: false,
  skipUTF8Validation: true,
});
server.on("connection", (client) => client.on("error", () => client.terminate()));

listenForMessages(commandPort, (message) => {
  for (const client of server.clients) {
    if (client.readyState === WebSocket.OPEN) client.send(message, { binary: false });
  }
});
