// A short, seeded run of what `pnpm fuzz` does for as long as one likes; and each input that ever
// failed.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { modelsByFraming } from "./models/all.ts";
import { Fuzzer } from "./models/fuzz.ts";

const corpus = join(import.meta.dirname, "corpus");

test.each(Object.entries(modelsByFraming))(
  "%s() agrees with its model on its corpus, and on 300 mutations of it",
  (name, models) => {
    const fuzzer = new Fuzzer(models, 1);
    const files = readdirSync(join(corpus, name));
    expect(files.length).toBeGreaterThan(4);
    for (const file of files)
      expect(fuzzer.try(readFileSync(join(corpus, name, file), "latin1")), file).toBeNull();
    for (let step = 0; step < 300; step++) expect(fuzzer.step()).toBeNull();
  },
);

test("the fuzzer finds a planted fault, and makes it small", () => {
  const [model] = modelsByFraming["slip"] ?? [];
  if (model === undefined) throw new Error("no model");
  const wrong = {
    ...model,
    read: (stream: string, limits: Parameters<typeof model.read>[1]) =>
      stream.includes("\xdb\xdc\xdb\xdd\0") ? ["=?"] : model.read(stream, limits),
  };
  const fuzzer = new Fuzzer([wrong], 3);
  fuzzer.try("a\xdb\xdcb\xc0");
  let failure = null;
  for (let step = 0; failure === null && step < 20_000; step++) failure = fuzzer.step();
  expect(failure).not.toBeNull();
  if (failure !== null) expect(fuzzer.shrink(failure).stream).toBe("\xdb\xdc\xdb\xdd\0");
});
