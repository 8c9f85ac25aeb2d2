// lines(): payload and its ending, by string search.
import { lines } from "../../src/mod.ts";
import type { LineEnding } from "../../src/engine.ts";
import { malformedAt, type Model, readAll, tooLargeAt, truncatedAt } from "./model.ts";

const model = (
  ending: LineEnding,
  unterminated: "deliver" | "fault" = "fault",
  crlf = ending === "crlf",
): Model => ({
  framing: lines({ ending, unterminated, write: crlf ? "crlf" : "lf" }),
  tokens: ["\n", "\r\n", "\r", "\n\n", "\r\r\n", "a", "bc", "\0", "defgh"],
  write(payload) {
    if (payload.includes("\n")) return null;
    if (crlf) return payload.includes("\r") ? null : `${payload}\r\n`;
    return ending === "any" && payload.endsWith("\r") ? null : `${payload}\n`;
  },
  read(stream, limits) {
    const max = limits.maxFrameBytes;
    const found: string[] = [];
    return readAll(stream, found, (at) => {
      const lf = stream.indexOf("\n", at);
      const line = stream.slice(at, lf === -1 ? undefined : lf);
      const payload = ending === "lf" ? line : line.replace(/\r$/, "");
      if (payload.length > max) {
        found.push(tooLargeAt(at + max, limits));
        if (lf === -1 || limits.onOversize !== "skip") return null;
        const end = ending === "crlf" ? stream.indexOf("\r\n", Math.max(lf - 1, at)) + 1 : lf;
        return end === 0 ? null : end + 1;
      }
      if (lf === -1) {
        const whole = unterminated === "deliver" && !(ending === "crlf" && line.includes("\r"));
        found.push(whole ? `=${payload}` : truncatedAt(stream.length));
        return null;
      }
      if (ending === "crlf" && payload.includes("\r"))
        found.push(malformedAt(at + payload.indexOf("\r")));
      else if (ending === "crlf" && payload === line) found.push(malformedAt(lf));
      else found.push(`=${payload}`);
      return found.at(-1)?.startsWith("!") === true ? null : lf + 1;
    });
  },
});

export const models: Model[] = [
  model("lf"),
  model("crlf"),
  model("any"),
  model("any", "fault", true),
  model("lf", "deliver"),
  model("crlf", "deliver"),
  model("any", "deliver"),
];
