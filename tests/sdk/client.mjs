// The SDK in Node: reads one command per line from standard input, and writes one event per line to standard output.

import { createInterface } from "node:readline";

import { Centrifuge } from "centrifuge";
import { Centrifuge as CentrifugeProtobuf } from "centrifuge/build/protobuf";
import { WebSocket } from "ws";

import { driver } from "./driver.mjs";

const emit = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const execute = driver({ json: Centrifuge, protobuf: CentrifugeProtobuf }, { websocket: WebSocket }, emit);

for await (const line of createInterface({ input: process.stdin })) execute(JSON.parse(line));
process.exit();
