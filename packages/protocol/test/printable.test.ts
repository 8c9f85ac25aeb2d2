import { describe, expect, it } from "vitest";
import { HawserError } from "../src/mod.ts";
import { printable } from "../src/mod.ts";
import { plain } from "../src/session/quote.ts";

/** What a terminal or a log must not get, by what it is. */
const hostile: Readonly<Record<string, string>> = {
  NUL: "\0",
  ESC: "\u001b",
  LF: "\n",
  CR: "\r",
  DEL: "\u007f",
  "C1 CSI": "\u009b",
  "C1 first": "\u0080",
  "C1 last": "\u009f",
  "soft hyphen": "\u00ad",
  "Arabic letter mark": "\u061c",
  "zero width space": "\u200b",
  "zero width joiner": "\u200d",
  "left-to-right mark": "\u200e",
  "right-to-left mark": "\u200f",
  "line separator": "\u2028",
  "paragraph separator": "\u2029",
  "left-to-right embedding": "\u202a",
  "right-to-left override": "\u202e",
  "word joiner": "\u2060",
  "left-to-right isolate": "\u2066",
  "pop directional isolate": "\u2069",
  BOM: "\ufeff",
  tag: "\u{e0041}",
  "high surrogate": "\ud800",
  "low surrogate": "\udc00",
};

describe("printable()", () => {
  it.each(Object.entries(hostile))(
    "spells out %s, also in errors and in quotes of the peer",
    (_, character) => {
      const code = (character.codePointAt(0) ?? 0).toString(16);
      expect(printable(`a${character}b${character}`)).toBe(`a\\u{${code}}b\\u{${code}}`);
      for (const text of [
        new HawserError("NOT_HAWSER", `the peer says a${character}b`).message,
        plain(`a${character}b`),
      ]) {
        expect(text).not.toContain(character);
        expect(text.isWellFormed()).toBe(true);
      }
    },
  );

  it("leaves what can be read as it is", () => {
    const text = "Grüße, 世界 👋🏽 שלום ﷺ \\ \u00a0 é";
    expect(printable(text)).toBe(text);
  });

  it("says the same when it is applied again", () => {
    expect(printable(printable("\u001b"))).toBe("\\u{1b}");
  });
});
