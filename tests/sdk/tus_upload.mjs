// Upload a file with the unmodified tus-js-client: node tus_upload.mjs ENDPOINT TOKEN FILE CHUNK_SIZE. Prints the upload's URL.

import { readFile } from "node:fs/promises";
import * as tus from "tus-js-client";

const [endpoint, token, path, chunkSize] = process.argv.slice(2);
const upload = new tus.Upload(await readFile(path), {
  endpoint,
  chunkSize: Number(chunkSize) || Infinity,
  headers: { Authorization: `Bearer ${token}` },
  metadata: { filename: "sky.jpg", filetype: "image/jpeg" },
  retryDelays: Array(200).fill(20), // milliseconds
  onError(error) {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess() {
    console.log(upload.url);
  },
});
upload.start();
