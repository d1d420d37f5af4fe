// Socket.IO: `io.emit`, which encodes a message once for all clients. Only the WebSocket transport, no compression.
import { createServer } from "node:http";

import { Server } from "socket.io";

import { listenForMessages } from "./publisher.mjs";

const [clientPort, commandPort] = process.argv.slice(2).map(Number);
const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
});
http.listen({ host: "127.0.0.1", port: clientPort, backlog: 1024 });

listenForMessages(commandPort, (message) => io.emit("message", JSON.parse(message)));
