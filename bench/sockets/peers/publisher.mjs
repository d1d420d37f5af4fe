// The publisher's port, the same for every peer in Node: a TCP connection that carries each message as a 32-bit
// big-endian length and as many bytes.
import net from "node:net";

export function listenForMessages(port, publish) {
  const server = net.createServer((socket) => {
    let waiting = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      waiting = waiting.length ? Buffer.concat([waiting, chunk]) : chunk;
      while (waiting.length >= 4) {
        const end = 4 + waiting.readUInt32BE(0);
        if (waiting.length < end) break;
        publish(waiting.subarray(4, end));
        waiting = waiting.subarray(end);
      }
    });
    socket.on("error", () => socket.destroy());
  });
  server.listen({ port, host: "127.0.0.1" });
}
