/**
 * One decoder over one stream, in a process of its own, so that no other decoder has shaped the
 * code that the engine made.
 *
 *     framing-run.ts NAME PAYLOAD_BYTES STREAM_BYTES WARMUP_MS DURATION_MS
 *
 * Prints one line of JSON, as native/framings.c does. Its time is CPU time: what others do on the
 * core does not count.
 */
import process from "node:process";
import { decoders, frameOf } from "./decoders.ts";

const CHUNK_BYTES = 65_536;

const [name, ...numbers] = process.argv.slice(2);
const [payload = 0, streamBytes = 0, warmupMs = 0, durationMs = 0] = numbers.map(Number);
const decoder = decoders.find((each) => each.name === name);
if (decoder?.run === undefined || decoder.run === null)
  throw new Error(`There is no decoder ${String(name)}`);

const frame = frameOf(decoder.form, payload);
const copies = Math.floor(streamBytes / frame.length);
const stream = Buffer.allocUnsafeSlow(copies * frame.length);
for (let i = 0; i < copies; i++) stream.set(frame, i * frame.length);
const chunks: Buffer[] = [];
for (let at = 0; at < stream.length; at += CHUNK_BYTES)
  chunks.push(stream.subarray(at, Math.min(at + CHUNK_BYTES, stream.length)));

await repeat(warmupMs);
const { passes, ns } = await repeat(durationMs);
console.log(JSON.stringify({ messages: passes * copies, bytes: passes * stream.length, ns }));

async function repeat(ms: number): Promise<{ passes: number; ns: number }> {
  const began = cpuNs();
  for (let passes = 1; ; passes++) {
    const result = decoder?.run?.(chunks);
    const messages = typeof result === "number" ? result : await result;
    if (messages !== copies)
      throw new Error(`${String(name)} gave ${String(messages)} messages of ${copies}`);
    const ns = cpuNs() - began;
    if (ns >= ms * 1e6) return { passes, ns };
  }
}

/** Of all threads, the garbage collector's too. */
function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1_000;
}
