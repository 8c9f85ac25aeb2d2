// jsonSequence(): RS, a text, the first LF outside its strings and brackets.
import { jsonSequence } from "../../src/mod.ts";
import { damagedAt, type Model, readAll, tooLargeAt, truncatedAt } from "./model.ts";

/**
 * Index of the LF that ends the text that begins at `from`, or of an RS in it, or the stream's
 * length.
 */
function endOf(stream: string, from: number): number {
  // A string may be open at the end; between strings, what is left are brackets and other bytes.
  // eslint-disable-next-line no-control-regex -- the grammar is about control bytes
  const rs = /\x1e/.exec(stream.slice(from));
  const limit = rs === null ? stream.length : from + rs.index;
  for (
    let lf = stream.indexOf("\n", from);
    lf !== -1 && lf < limit;
    lf = stream.indexOf("\n", lf + 1)
  ) {
    const text = stream.slice(from, lf);
    const outside = text.replace(/"(?:[^"\\]|\\[^])*(?:"|\\?$)/g, (string) =>
      /^"(?:[^"\\]|\\[^])*"$/.test(string) ? "s" : "{",
    );
    let depth = 0;
    for (const byte of outside) {
      if ("[{".includes(byte)) depth++;
      else if ("]}".includes(byte) && depth > 0) depth--;
    }
    if (depth === 0 && /[^ \t\r\n]/.test(outside)) return lf;
  }
  return limit;
}

const isCarried = (payload: string): boolean =>
  !payload.includes("\x1e") &&
  endOf(`${payload}\n`, 0) === payload.length &&
  endOf(`${payload}\n\n`, 0) === payload.length;

const model = (skips: boolean): Model => ({
  framing: jsonSequence({ onMalformed: skips ? "skip" : "close" }),
  tokens: [
    "\x1e",
    "\n",
    "\x1e1\n",
    "{",
    "}",
    "[",
    "]",
    '"',
    "\\",
    '\\"',
    '"a\n"',
    " ",
    "\r",
    "\t",
    "a",
    "null",
    "\x1e{\n}\n",
    "]]",
    "\x1e\x1e",
  ],
  write: (payload) => (isCarried(payload) ? `\x1e${payload}\n` : null),
  read(stream, limits) {
    const max = limits.maxFrameBytes;
    const found: string[] = [];
    let first = true;
    const blankOrRs = (at: number): boolean =>
      stream[at] === "\x1e" || (!first && /[ \t\r\n]/.test(stream.charAt(at)));
    return readAll(stream, found, (at) => {
      if (!blankOrRs(at)) {
        found.push(damagedAt(at, skips));
        const next = stream.indexOf("\x1e", at);
        return skips && next !== -1 ? next : null;
      }
      if (stream[at] !== "\x1e") return at + 1;
      first = false;
      const end = endOf(stream, at + 1);
      const payload = stream.slice(at + 1, end);
      if (payload.length > max) {
        found.push(tooLargeAt(at + 1 + max, limits));
        if (limits.onOversize !== "skip" || end === stream.length) return null;
        return stream[end] === "\x1e" ? end : end + 1;
      }
      const isEmpty = payload === "";
      if (end === stream.length) {
        if (!isEmpty) found.push(truncatedAt(end));
        return null;
      }
      if (stream[end] === "\x1e") {
        if (isEmpty) return end;
        found.push(damagedAt(end, skips));
        return skips ? end : null;
      }
      found.push(`=${payload}`);
      return end + 1;
    });
  },
});

export const models: Model[] = [model(false), model(true)];
