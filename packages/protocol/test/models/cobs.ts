// cobs(): blocks up to a zero byte; each payload byte with the offset of what stands for it.
import { cobs } from "../../src/mod.ts";
import { damagedAt, type Model, readAll, tooLargeAt, truncatedAt } from "./model.ts";

function write(payload: string): string {
  // The payload and one zero more, cut behind each zero and after each 254 bytes without one.
  const blocks = `${payload}\0`.match(/[^\0]{254}|[^\0]*\0/g) ?? [];
  // A block that the added zero alone would make, behind a full one, says nothing.
  if (blocks.length > 1 && blocks.at(-1) === "\0" && !payload.endsWith("\0")) blocks.pop();
  return `${blocks.map((block) => (block.length === 254 && !block.endsWith("\0") ? `\xff${block}` : String.fromCharCode(block.length) + block.slice(0, -1))).join("")}\0`;
}

const model = (skips: boolean): Model => ({
  framing: cobs({ onMalformed: skips ? "skip" : "close" }),
  tokens: [
    "\0",
    "\x01",
    "\x02",
    "\x03",
    "\x05",
    "\xff",
    "\xfe",
    "a",
    "bc",
    "\x01\0",
    "\x02a\0",
    "\xff" + "x".repeat(254),
    "y".repeat(253),
  ],
  write,
  read(stream, limits) {
    const found: string[] = [];
    return readAll(stream, found, (from) => {
      let payload = "";
      let zero = false;
      const tooLarge = (at: number): number | null => {
        found.push(tooLargeAt(at, limits));
        const end = stream.indexOf("\0", at);
        return limits.onOversize === "skip" && end !== -1 ? end + 1 : null;
      };
      for (let at = from; at < stream.length;) {
        if (stream[at] === "\0") {
          if (at > from) found.push(`=${payload}`);
          else if (!skips) found.push(damagedAt(at, false));
          return at === from && !skips ? null : at + 1;
        }
        if (zero) payload += "\0";
        if (payload.length > limits.maxFrameBytes) return tooLarge(at);
        const code = stream.charCodeAt(at);
        for (let left = code - 1; left > 0; left--) {
          at++;
          if (at === stream.length) break;
          if (stream[at] === "\0") {
            found.push(damagedAt(at, skips));
            return skips ? at + 1 : null;
          }
          payload += stream.charAt(at);
          if (payload.length > limits.maxFrameBytes) return tooLarge(at);
        }
        at++;
        zero = code !== 0xff;
      }
      found.push(truncatedAt(stream.length));
      return null;
    });
  },
});

export const models: Model[] = [model(false), model(true)];
