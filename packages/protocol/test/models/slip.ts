// slip(): bytes up to END, with two escapes.
import { slip } from "../../src/mod.ts";
import { damagedAt, type Model, readAll, tooLargeAt, truncatedAt } from "./model.ts";

const model = (leadingEnd: boolean, onMalformed: "close" | "skip" = "close"): Model => ({
  framing: slip({ leadingEnd, onMalformed }),
  tokens: [
    "\xc0",
    "\xdb",
    "\xdc",
    "\xdd",
    "\xdb\xdc",
    "\xdb\xdd",
    "\xdb\xc0",
    "\xdb\xdb",
    "a",
    "bcd",
    "\0",
  ],
  write: (payload) =>
    payload === ""
      ? null
      : `${leadingEnd ? "\xc0" : ""}${payload.replaceAll("\xdb", "\xdb\xdd").replaceAll("\xc0", "\xdb\xdc")}\xc0`,
  read(stream, limits) {
    const found: string[] = [];
    return readAll(stream, found, (from) => {
      let payload = "";
      for (let at = from; at < stream.length;) {
        if (stream[at] === "\xc0") {
          if (payload !== "") found.push(`=${payload}`);
          return at + 1;
        }
        const escaped = stream[at] === "\xdb";
        if (escaped && at + 1 === stream.length) break;
        const byte = escaped
          ? { "\xdc": "\xc0", "\xdd": "\xdb" }[stream.charAt(at + 1)]
          : stream[at];
        if (byte === undefined) {
          found.push(damagedAt(at + 1, onMalformed === "skip"));
          const end = stream.indexOf("\xc0", at + 1);
          return onMalformed === "skip" && end !== -1 ? end + 1 : null;
        }
        payload += byte;
        if (payload.length > limits.maxFrameBytes) {
          found.push(tooLargeAt(at, limits));
          const end = stream.indexOf("\xc0", at + 1);
          return limits.onOversize === "skip" && end !== -1 ? end + 1 : null;
        }
        at += escaped ? 2 : 1;
      }
      found.push(truncatedAt(stream.length));
      return null;
    });
  },
});

export const models: Model[] = [model(false), model(true), model(false, "skip")];
