// contentLength(): a block of headers, judged line by line with regular expressions, and a counted
// payload.
import { contentLength } from "../../src/mod.ts";
import { firstWrong, malformedAt, type Model, readAll, readCounted, truncatedAt } from "./model.ts";

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]*/;

/** What is wrong with a header line without its LF: the index in it; or what it says. */
function judge(
  line: string,
  headers: ReadonlyMap<string, string>,
  count: number,
): { wrong: number } | { name: string; value: string; valueAt: number } {
  const text = line.replace(/\r$/, "");
  if (count === 32) return { wrong: 0 };
  const name = NAME.exec(text)?.[0] ?? "";
  if (name === "" || text[name.length] !== ":") return { wrong: name.length };
  if (text[name.length + 1] !== " ") return { wrong: name.length + 1 };
  const valueAt = name.length + 2;
  const value = text.slice(valueAt);
  // eslint-disable-next-line no-control-regex -- the grammar is about control bytes
  const control = /[\0-\x08\x0a-\x1f\x7f]/.exec(value);
  if (control !== null) return { wrong: valueAt + control.index };
  if (text === line) return { wrong: line.length };
  const key = name.toLowerCase();
  if (key === "content-length") {
    if (headers.has(key)) return { wrong: 0 };
    const digits = firstWrong(value, (beginning) => /^(?:0|[1-9][0-9]{0,8})$/.test(beginning));
    if (digits < value.length || value === "") return { wrong: valueAt + digits };
  }
  if (key === "content-type") {
    const lower = value.toLowerCase();
    for (let at = lower.indexOf(";"); at !== -1; at = lower.indexOf(";", at + 1)) {
      const parameter = /^;[ \t]*charset="?/.exec(lower.slice(at));
      if (parameter === null) continue;
      const charsetAt = at + parameter[0].length;
      const charset = /^[^" \t;]*/.exec(lower.slice(charsetAt))?.[0];
      if (charset !== "utf-8" && charset !== "utf8") return { wrong: valueAt + charsetAt };
    }
  }
  return { name: key, value, valueAt };
}

export const models: Model[] = [
  {
    framing: contentLength(),
    tokens: [
      "Content-Length: ",
      "content-length: 2\r\n",
      "Content-Length: 3\r\n\r\nabc",
      "\r\n",
      "\r\n\r\n",
      "\n",
      "\r",
      ": ",
      ":",
      " ",
      "0",
      "1",
      "2",
      "12",
      "9999999999",
      "00",
      "-",
      "a",
      "bcd",
      "X-A: b\r\n",
      "Content-Type: application/json; charset=utf-8\r\n",
      "Content-Type: a; charset=latin1\r\n",
      '; charset="utf8"',
      "\t",
      "\x7f",
      "\xe9",
    ],
    write: (payload) => `Content-Length: ${String(payload.length)}\r\n\r\n${payload}`,
    read(stream, limits) {
      const found: string[] = [];
      return readAll(stream, found, (at) => {
        const headers = new Map<string, string>();
        let lengthAt = at;
        let count = 0;
        for (let start = at; ;) {
          const lf = stream.indexOf("\n", start);
          if (lf === -1 || lf >= at + 4096) {
            found.push(
              stream.length > at + 4096 ? malformedAt(at + 4096) : truncatedAt(stream.length),
            );
            return null;
          }
          const line = stream.slice(start, lf);
          if (line === "\r" && headers.has("content-length")) {
            return readCounted(stream, limits, found, {
              lengthAt,
              at: lf + 1,
              size: Number(headers.get("content-length")),
            });
          }
          if (line === "\r" || line === "") {
            found.push(malformedAt(start));
            return null;
          }
          const header = judge(line, headers, count++);
          if ("wrong" in header) {
            found.push(malformedAt(start + header.wrong));
            return null;
          }
          headers.set(header.name, header.value);
          if (header.name === "content-length") lengthAt = start + header.valueAt;
          start = lf + 1;
        }
      });
    },
  },
];
