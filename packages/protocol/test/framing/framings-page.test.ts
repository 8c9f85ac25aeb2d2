// docs/framings.md names every framing, and the options that each takes.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as protocol from "../../src/mod.ts";

const page = readFileSync(new URL("../../../../docs/framings.md", import.meta.url), "utf8");
const rows = new Map(
  [...page.matchAll(/^\| `(\w+)\((?:\w*)\)` *\| [^|]+ \|([^|]*)\|$/gm)].map(
    ([, name = "", options = ""]) => [name, options],
  ),
);

const factories: Readonly<Record<string, (options: never) => unknown>> = {
  ...{
    cobs: protocol.cobs,
    jsonSequence: protocol.jsonSequence,
    lengthPrefixed: protocol.lengthPrefixed,
    lines: protocol.lines,
  },
  ...{ mllp: protocol.mllp, slip: protocol.slip, varintPrefixed: protocol.varintPrefixed },
  delimited: (options) => protocol.delimited(",", options),
};

test("docs/framings.md has a row for each of the fourteen framings", () => {
  expect([...rows.keys()].sort()).toEqual([
    "cobs",
    "contentLength",
    "delimited",
    "dotStuffed",
    "fixedLength",
    "jsonSequence",
    "lengthPrefixed",
    "lines",
    "mllp",
    "netstring",
    "octetCounted",
    "raw",
    "slip",
    "varintPrefixed",
  ]);
});

test.each(Object.entries(factories))(
  "docs/framings.md lists the options of %s()",
  (name, factory) => {
    let taken: string[] = [];
    try {
      factory({ "": 1 } as never);
    } catch (error) {
      taken = (error as Error).message.replace(/^.* takes /, "").split(", ");
    }
    expect(taken.length).toBeGreaterThan(0);
    for (const option of taken) expect(rows.get(name)).toContain(`\`${option}\``);
  },
);

test("docs/framings.md is right that lines() reads both endings, and refuses to send a CR at the end", () => {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  const { frames, fault } = protocol.decodeChunks(protocol.lines(), [encode("a\r\nb\n")]);
  expect(fault).toBeNull();
  expect(frames.map((frame) => new TextDecoder().decode(frame))).toEqual(["a", "b"]);
  expect(() => protocol.encodeFrames(protocol.lines(), [encode("a\r")])).toThrow(
    expect.objectContaining({ code: "PAYLOAD_FORBIDDEN" }) as Error,
  );
});
