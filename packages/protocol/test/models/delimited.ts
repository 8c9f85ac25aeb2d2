// delimited(): payload and the delimiter's first occurrence, by string search.
import { delimited } from "../../src/mod.ts";
import { type Model, readAll, tooLargeAt, truncatedAt } from "./model.ts";

const model = (delimiter: string, unterminated: "deliver" | "fault" = "fault"): Model => ({
  framing: delimited(delimiter, { unterminated }),
  tokens: [
    delimiter,
    delimiter.slice(0, 1),
    delimiter.slice(1),
    delimiter.slice(0, -1),
    "a",
    "b",
    "cdefg",
  ],
  write: (payload) =>
    (payload + delimiter).indexOf(delimiter) === payload.length ? payload + delimiter : null,
  read(stream, limits) {
    const max = limits.maxFrameBytes;
    const found: string[] = [];
    return readAll(stream, found, (at) => {
      const end = stream.indexOf(delimiter, at);
      const rest = stream.slice(at);
      let payload = stream.slice(at, end === -1 ? undefined : end);
      // A beginning of the delimiter at the stream's end is not payload yet.
      for (let length = delimiter.length - 1; end === -1 && length > 0; length--) {
        if (payload.endsWith(delimiter.slice(0, length))) {
          payload = payload.slice(0, -length);
          break;
        }
      }
      if (payload.length > max) found.push(tooLargeAt(at + max, limits));
      else if (end === -1)
        found.push(
          unterminated === "deliver" && rest.length <= max
            ? `=${rest}`
            : truncatedAt(stream.length),
        );
      else found.push(`=${payload}`);
      return end === -1 || found.at(-1)?.startsWith("!") === true ? null : end + delimiter.length;
    });
  },
});

export const models: Model[] = ["|", "||", "aab", "abab"].flatMap((delimiter) => [
  model(delimiter),
  model(delimiter, "deliver"),
]);
