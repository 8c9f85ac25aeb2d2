// lengthPrefixed(): the length in exact integers.
import { lengthPrefixed, type LengthPrefixedOptions } from "../../src/mod.ts";
import { malformedAt, type Model, readAll, tooLargeAt, truncatedAt } from "./model.ts";

function model(options: Required<LengthPrefixedOptions>): Model {
  const { bytes, endian, offset, adjustment, skip, includesHeader } = options;
  const header = offset + bytes;
  const field = (value: bigint): string => {
    const digits = Array.from({ length: bytes }, (_, place) =>
      String.fromCharCode(Number((value >> BigInt(8 * place)) & 0xffn)),
    );
    return (endian === "big" ? digits.reverse() : digits).join("");
  };
  return {
    framing: lengthPrefixed(options),
    tokens: [
      ...[0, 1, 2, 3, 5, 8, 200].map((value) => field(BigInt(value))),
      "\0",
      "\x01",
      "\x04",
      "\xff",
      "a",
      "bcd",
    ],
    write(payload) {
      // The frame is what is skipped, and the payload, which brings the rest of the header.
      const total = skip + payload.length;
      const value = BigInt(total - (includesHeader ? 0 : header) - adjustment);
      if (total < header || value < 0n || value >= 1n << BigInt(8 * bytes)) return null;
      const frame = "\0".repeat(offset) + field(value) + "\0".repeat(Math.max(0, skip - header));
      const brought = payload.slice(0, Math.max(0, header - skip));
      if (brought.slice(Math.max(0, offset - skip)) !== frame.slice(Math.max(skip, offset)))
        return null;
      return frame.slice(0, skip) + payload;
    },
    read(stream, limits) {
      const found: string[] = [];
      return readAll(stream, found, (at) => {
        if (stream.length - at < header) {
          found.push(truncatedAt(stream.length));
          return null;
        }
        const digits = Array.from(stream.slice(at + offset, at + header));
        const value = (endian === "big" ? digits : digits.reverse()).reduce(
          (sum, digit) => sum * 256n + BigInt(digit.charCodeAt(0)),
          0n,
        );
        const total = value + BigInt(adjustment + (includesHeader ? 0 : header));
        const next = BigInt(at) + total;
        if (total < BigInt(Math.max(header, skip))) {
          found.push(malformedAt(at + offset));
          return null;
        }
        if (total - BigInt(skip) > BigInt(limits.maxFrameBytes)) {
          found.push(tooLargeAt(at + offset, limits));
          return limits.onOversize === "skip" && next <= BigInt(stream.length)
            ? Number(next)
            : null;
        }
        if (next > BigInt(stream.length)) {
          found.push(truncatedAt(stream.length));
          return null;
        }
        found.push(`=${stream.slice(at + skip, Number(next))}`);
        return Number(next);
      });
    },
  };
}

const plain = {
  bytes: 4,
  endian: "big",
  offset: 0,
  adjustment: 0,
  skip: 4,
  includesHeader: false,
} as const;

export const models: Model[] = [
  model({ ...plain, bytes: 1, skip: 1 }),
  model(plain),
  model({ ...plain, bytes: 8, skip: 8, endian: "little" }),
  model({ ...plain, bytes: 2, skip: 2, includesHeader: true }),
  model({ ...plain, bytes: 1, offset: 2, adjustment: -1, skip: 3 }),
  model({ ...plain, bytes: 2, offset: 1, adjustment: 1, skip: 0 }),
  model({ ...plain, bytes: 2, skip: 1 }),
  model({ ...plain, bytes: 2, offset: 1, skip: 6 }),
  model({ ...plain, bytes: 1, skip: 4, includesHeader: true }),
];
