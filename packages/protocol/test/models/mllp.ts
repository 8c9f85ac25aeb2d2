// mllp(): SB payload EB CR, where the payload holds neither SB nor EB.
import { mllp } from "../../src/mod.ts";
import { malformedAt, type Model, readAll, tooLargeAt, truncatedAt } from "./model.ts";

const model = (skipBetween: "crlf" | "none"): Model => ({
  framing: mllp({ skipBetween }),
  tokens: ["\x0b", "\x1c\r", "\x1c", "\r", "\n", "\r\n", "\x1c\r\x0b", "a", "bcd", "MSH|"],
  // eslint-disable-next-line no-control-regex -- the grammar is about control bytes
  write: (payload) => (/[\x0b\x1c]/.test(payload) ? null : `\x0b${payload}\x1c\r`),
  read(stream, limits) {
    const max = limits.maxFrameBytes;
    const found: string[] = [];
    return readAll(stream, found, (at) => {
      if (stream[at] !== "\x0b") {
        if (skipBetween === "crlf" && /[\r\n]/.test(stream.charAt(at))) return at + 1;
        found.push(malformedAt(at));
        return null;
      }
      // eslint-disable-next-line no-control-regex -- the grammar is about control bytes
      const payload = /^[^\x0b\x1c]*/.exec(stream.slice(at + 1))?.[0] ?? "";
      const end = at + 1 + payload.length;
      if (payload.length > max) {
        found.push(tooLargeAt(at + 1 + max, limits));
        const close = stream.indexOf("\x1c\r", end);
        return limits.onOversize === "skip" && close !== -1 ? close + 2 : null;
      }
      if (end + 1 >= stream.length && stream[end] !== "\x0b") found.push(truncatedAt(stream.length));
      else if (stream[end] === "\x0b") found.push(malformedAt(end));
      else found.push(stream[end + 1] === "\r" ? `=${payload}` : malformedAt(end + 1));
      return found.at(-1)?.startsWith("=") === true ? end + 2 : null;
    });
  },
});

export const models: Model[] = [model("none"), model("crlf")];
