// netstring(): length ":" payload ","
import { netstring } from "../../src/mod.ts";
import { firstWrong, malformedAt, type Model, readAll, readCounted, truncatedAt } from "./model.ts";

export const models: Model[] = [
  {
    framing: netstring(),
    tokens: [
      "0:,",
      "1:",
      "3:",
      "5:a",
      "12:",
      ":",
      ",",
      "0",
      "00",
      "9",
      "123456789",
      "+",
      "-",
      " ",
      "\n",
      "a",
      "bcd",
      "0x1:",
    ],
    write: (payload) => `${String(payload.length)}:${payload},`,
    read(stream, limits) {
      const found: string[] = [];
      return readAll(stream, found, (at) => {
        const rest = stream.slice(at, at + 12);
        const header = /^(0|[1-9][0-9]{0,8}):/.exec(rest);
        if (header === null) {
          const wrong = at + firstWrong(rest, (text) => /^(?:0|[1-9][0-9]{0,8})$/.test(text));
          found.push(wrong < stream.length ? malformedAt(wrong) : truncatedAt(wrong));
          return null;
        }
        return readCounted(
          stream,
          limits,
          found,
          { lengthAt: at, at: at + header[0].length, size: Number(header[1]) },
          ",",
        );
      });
    },
  },
];
