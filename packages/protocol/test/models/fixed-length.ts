// fixedLength(): slices.
import { fixedLength } from "../../src/mod.ts";
import { type Model, readAll, readCounted } from "./model.ts";

const model = (bytes: number): Model => ({
  framing: fixedLength(bytes),
  tokens: ["a", "bc", "\0", "\n"],
  write: (payload) => (payload.length === bytes ? payload : null),
  read(stream, limits) {
    const found: string[] = [];
    return readAll(stream, found, (at) =>
      readCounted(stream, limits, found, { lengthAt: at, at, size: bytes }),
    );
  },
});

export const models: Model[] = [1, 3, 7].map(model);
