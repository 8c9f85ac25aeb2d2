// The program's own code may do whatever it likes: a short run of the fuzzer. `pnpm fuzz --values`
// runs it for longer.

import assert from "node:assert/strict";
import { it } from "node:test";
import { fuzzValues } from "./values.ts";

for (const seed of [1, 2]) {
  it(
    "hostile values of handlers, listeners, hooks, schemas, codecs and iterators harm nobody " +
      `(seed ${String(seed)})`,
    { timeout: 60_000 },
    async () => {
      const { runs, told, failures } = await fuzzValues(4_000, seed);
      assert.deepEqual(failures, []);
      assert.ok(runs >= 4_000);
      assert.ok(told > 500);
    },
  );
}
