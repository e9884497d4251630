// An independent implementation of Negentropy protocol v1 (npm package @nostr-dev-kit/sync), driven over stdio:
// one JSON object a line in, one out. Used by scripts/negentropy_conversations.py; in a folder of its own:
//
//   npm install @nostr-dev-kit/sync @nostr-dev-kit/ndk && cp …/scripts/negentropy_reference.mjs . && node negentropy_reference.mjs
//
//   {"open": [[time, id], …], "client": bool, "frame": bytes}  -> {}
//   {"initiate": true}                                         -> {"message"}
//   {"reconcile": message}                                     -> {"message" | null, "have": […], "need": […]}
//
// Bytes are hexadecimal. Its numbers have 31 bits: times must stay below 2^31.

import { createInterface } from "node:readline";
import { Negentropy, NegentropyStorage } from "@nostr-dev-kit/sync";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => new Uint8Array(Buffer.from(text, "hex"));
let side;

async function answer(order) {
  if (order.open) {
    const storage = new NegentropyStorage();
    for (const [time, id] of order.open) storage.insert(time, id);
    storage.seal();
    side = new Negentropy(storage, order.frame);
    return {};
  }
  if (order.initiate) return { message: hex(await side.initiate()) };
  const { nextMessage, have, need } = await side.reconcile(bytes(order.reconcile));
  return { message: nextMessage ? hex(nextMessage) : null, have: have.map(hex), need: need.map(hex) };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
}
