// mllp(): SB payload EB CR, where the payload holds neither SB nor EB.
import { mllp } from "../../src/mod.ts";
import { damagedAt, type Model, readAll, tooLargeAt, truncatedAt } from "./model.ts";

const model = (skipBetween: "crlf" | "none", skips = false): Model => ({
  framing: mllp({ skipBetween, onMalformed: skips ? "skip" : "close" }),
  tokens: ["\x0b", "\x1c\r", "\x1c", "\r", "\n", "\r\n", "\x1c\r\x0b", "a", "bcd", "MSH|"],
  // eslint-disable-next-line no-control-regex -- the grammar is about control bytes
  write: (payload) => (/[\x0b\x1c]/.test(payload) ? null : `\x0b${payload}\x1c\r`),
  read(stream, limits) {
    const max = limits.maxFrameBytes;
    const found: string[] = [];
    /**
     * Where a block goes on that is passed over: behind its end, or at the next one's beginning
     * where damaged blocks are passed over.
     */
    const afterDamaged = (text: string, from: number): number | null => {
      const close = text.indexOf("\x1c\r", from);
      const next = skips ? text.indexOf("\x0b", from) : -1;
      if (next !== -1 && (close === -1 || next < close)) return next;
      return close === -1 ? null : close + 2;
    };
    return readAll(stream, found, (at) => {
      if (stream[at] !== "\x0b") {
        if (skipBetween === "crlf" && /[\r\n]/.test(stream.charAt(at))) return at + 1;
        found.push(damagedAt(at, skips));
        const next = stream.indexOf("\x0b", at);
        return skips && next !== -1 ? next : null;
      }
      // eslint-disable-next-line no-control-regex -- the grammar is about control bytes
      const payload = /^[^\x0b\x1c]*/.exec(stream.slice(at + 1))?.[0] ?? "";
      const end = at + 1 + payload.length;
      if (payload.length > max) {
        found.push(tooLargeAt(at + 1 + max, limits));
        return limits.onOversize === "skip" ? afterDamaged(stream, end) : null;
      }
      if (end + 1 >= stream.length && stream[end] !== "\x0b")
        found.push(truncatedAt(stream.length));
      else if (stream[end] === "\x0b") found.push(damagedAt(end, skips));
      else found.push(stream[end + 1] === "\r" ? `=${payload}` : damagedAt(end + 1, skips));
      if (found.at(-1)?.startsWith("=") === true) return end + 2;
      return skips ? afterDamaged(stream, end) : null;
    });
  },
});

export const models: Model[] = [
  model("none"),
  model("crlf"),
  model("none", true),
  model("crlf", true),
];
