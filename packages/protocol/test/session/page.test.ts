// PROTOCOL.md §9: what the page shows is what the sessions do, byte by byte, each side alone with
// the other's bytes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { toHex } from "../notation.ts";
import { begin, format, parse, play, Player, sections } from "./page.ts";

const page = readFileSync(join(import.meta.dirname, "../../../../PROTOCOL.md"), "utf8");
const tokens = parse(page);

test("PROTOCOL.md §9 shows what two sessions say to each other", () => {
  const shown = page
    .slice(page.indexOf("## 9. Example"))
    .split("\n")
    .filter((line) => line.startsWith("    ") || line === "")
    .join("\n")
    .trim();
  expect(shown).toBe(format(play()).trim());
});

test("PROTOCOL.md §9 is read as it was written", () => {
  expect(tokens.map(({ section, from, bytes }) => [section, from, toHex(bytes)])).toEqual(
    play().reduce<[number, string, string][]>((joined, { section, from, bytes }) => {
      const last = joined.at(-1);
      if (last?.[0] === section && last[1] === from) last[2] += ` ${toHex(bytes)}`;
      else joined.push([section, from, toHex(bytes)]);
      return joined;
    }, []),
  );
});

test.each(["client", "server"] as const)(
  "PROTOCOL.md §9: the %s, given the other's bytes from the page, sends what the page says",
  (side) => {
    for (const chunkBytes of [Infinity, 1000, 7]) {
      const player = new Player(side);
      sections.forEach((_, section) => {
        begin(player, section);
        for (const token of tokens.filter((one) => one.section === section)) {
          if (token.from === side) {
            player.end.session.transmit(1_000_000);
            expect(toHex(player.end.take()), sections[section]?.title).toBe(toHex(token.bytes));
          } else {
            for (let at = 0; at < token.bytes.length; at += chunkBytes)
              player.receive(token.bytes.subarray(at, at + chunkBytes));
          }
        }
      });
    }
  },
);
