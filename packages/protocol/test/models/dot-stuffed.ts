// dotStuffed(): lines that end with CR LF, up to the line of one dot.
import { dotStuffed } from "../../src/mod.ts";
import { malformedAt, type Model, readAll, tooLargeAt, truncatedAt } from "./model.ts";

export const models: Model[] = [
  {
    framing: dotStuffed(),
    tokens: [
      "\r\n",
      ".\r\n",
      "\r\n.\r\n",
      ".",
      "..",
      "\r",
      "\n",
      "\n.\n",
      "\r.\r",
      "a",
      "bc\r\n",
      "..d\r\n",
      ".\r",
      ".\n",
    ],
    write: (payload) =>
      /^(?:[^\r\n]*\r\n)*$/.test(payload) ? `${payload.replace(/(^|\r\n)\./g, "$1..")}.\r\n` : null,
    read(stream, limits) {
      const max = limits.maxFrameBytes;
      const found: string[] = [];
      return readAll(stream, found, (at) => {
        let payload = "";
        for (let line = at; ;) {
          if (stream.startsWith(".\r\n", line)) {
            found.push(`=${payload}`);
            return line + 3;
          }
          const begin = stream[line] === "." ? line + 1 : line;
          const text = /^[^\r\n]*/.exec(stream.slice(begin))?.[0] ?? "";
          const end = begin + text.length;
          const ending = stream.slice(end, end + 2);
          const whole = payload + text + (ending === "\r\n" ? ending : "");
          if (
            (payload.length + text.length <= max && ending === "") ||
            (ending === "\r" && whole.length <= max)
          ) {
            if (end > at || ending !== "") found.push(truncatedAt(stream.length));
            return null;
          }
          if (whole.length > max) {
            found.push(tooLargeAt(begin + max - payload.length, limits));
            if (limits.onOversize !== "skip") return null;
            const close = stream.indexOf("\r\n.\r\n", line);
            return close === -1 ? null : close + 5;
          }
          if (ending !== "\r\n") {
            found.push(malformedAt(end));
            return null;
          }
          payload = whole;
          line = end + 2;
        }
      });
    },
  },
];
