// The SDK in Node: one order a line on the standard input, one event a line on the standard output.

import { createInterface } from "node:readline";

import { Centrifuge } from "centrifuge";
import { Centrifuge as CentrifugeProtobuf } from "centrifuge/build/protobuf";
import { WebSocket } from "ws";

import { driver } from "./driver.mjs";

const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const take = driver({ json: Centrifuge, protobuf: CentrifugeProtobuf }, { websocket: WebSocket }, tell);

for await (const line of createInterface({ input: process.stdin })) take(JSON.parse(line));
process.exit();
