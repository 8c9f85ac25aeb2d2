import { describe, expect, it } from "vitest";
import { Output, type OutputTarget, SharedOutput } from "../src/output.ts";

/** A target that remembers what it is given, and says what it is told to. */
class Target implements OutputTarget {
  readonly writes: string[] = [];
  readonly scheduled: Output[] = [];
  takes = true;

  write(bytes: Uint8Array): boolean {
    this.writes.push(new TextDecoder().decode(bytes));
    return this.takes;
  }

  onTaken = (): void => undefined;

  taken(): void {
    this.onTaken();
  }

  flushLater(output: Output): void {
    this.scheduled.push(output);
  }

  /** The end of a turn. */
  turn(): void {
    for (const output of this.scheduled.splice(0)) output.flushDue();
  }
}

function outputAndTarget(): { output: Output; target: Target } {
  const target = new Target();
  return { output: new Output(target), target };
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("Output", () => {
  it("sends what a turn appends in one write, at its end", () => {
    const { output, target } = outputAndTarget();
    for (const text of ["a", "b", "c"]) {
      output.append(encode(text));
      output.schedule();
    }
    expect([target.scheduled.length, target.writes, output.pendingBytes]).toEqual([1, [], 3]);
    target.turn();
    expect([target.writes, output.pendingBytes, output.bytes.length]).toEqual([["abc"], 0, 0]);
    target.turn();
    expect(target.writes).toEqual(["abc"]);
  });

  it("sends at once what fills a slab", () => {
    const { output, target } = outputAndTarget();
    output.append(new Uint8Array(65_000).fill(0x61));
    output.schedule();
    expect([target.writes.length, output.pendingBytes]).toEqual([1, 0]);
  });

  it("counts what the target has not taken, until it says so", () => {
    const { output, target } = outputAndTarget();
    target.takes = false;
    output.append(encode("abc"));
    output.flush();
    output.append(encode("de"));
    output.flush();
    expect(output.pendingBytes).toBe(5);
    output.written();
    expect(output.pendingBytes).toBe(2);
    output.written();
    output.written();
    expect(output.pendingBytes).toBe(0);
  });

  it("may be appended to and flushed by whoever is told that the target has taken a write", () => {
    const { output, target } = outputAndTarget();
    let more = 3;
    target.onTaken = (): void => {
      if (more-- === 0) return;
      output.append(encode("x"));
      output.flush();
    };
    output.append(encode("a"));
    output.flush();
    expect([target.writes, output.pendingBytes, output.bytes.length]).toEqual([
      ["a", "x", "x", "x"],
      0,
      0,
    ]);
  });

  it(
    "knows whether it exceeds a limit as exactly as pendingBytes, with joined text of any length " +
      "in bytes",
    () => {
      for (const text of ["abcdef", "é€é", "", "€"]) {
        for (let limit = 0; limit < 16; limit++) {
          const { output } = outputAndTarget();
          output.append(encode("12"));
          output.join(text);
          expect(output.exceeds(limit), `${text} ${String(limit)}`).toBe(
            2 + encode(text).length > limit,
          );
        }
      }
    },
  );

  it("forgets everything when it is dropped, also what is shared and joined", () => {
    const { output, target } = outputAndTarget();
    const shared = new SharedOutput();
    shared.append(encode("shared"));
    output.share(shared, 0, 6);
    output.join("joined");
    output.schedule();
    output.drop();
    target.turn();
    expect([target.writes, output.pendingBytes]).toEqual([[], 0]);
  });
});

describe("SharedOutput", () => {
  it("is sent by many without a copy, as one range for all that a turn adds to it", () => {
    const target = new Target();
    const outputs = [new Output(target), new Output(target)];
    const shared = new SharedOutput();
    for (const text of ["one ", "two "]) {
      const from = shared.length;
      shared.append(encode(text));
      for (const output of outputs) {
        output.share(shared, from, shared.length);
        output.schedule();
      }
    }
    expect(outputs.map((output) => [output.pendingBytes, output.bytes.length])).toEqual([
      [8, 0],
      [8, 0],
    ]);
    expect(shared.sealed).toBe(false);
    target.turn();
    expect([target.writes, shared.sealed]).toEqual([["one two ", "one two "], true]);
  });

  it("keeps its place between what is appended before and after it", () => {
    const { output, target } = outputAndTarget();
    const [one, two] = [new SharedOutput(), new SharedOutput()];
    one.append(encode("[one]"));
    two.append(encode("[two]"));
    output.append(encode("before "));
    output.share(one, 0, 5);
    output.share(two, 0, 5);
    output.append(encode(" after "));
    output.flush();
    output.share(one, 0, 5);
    output.share(two, 0, 5);
    output.flush();
    output.share(two, 0, 5);
    output.join(" joined");
    expect(output.pendingBytes).toBe(12);
    output.flush();
    output.join("joined ");
    output.share(one, 0, 5);
    output.flush();
    output.share(one, 0, 5);
    output.share(one, 3, 5);
    expect(output.exceeds(6)).toBe(true);
    expect(output.exceeds(7)).toBe(false);
    output.flush();
    expect(target.writes).toEqual([
      "before [one][two] after ",
      "[one][two]",
      "[two] joined",
      "joined [one]",
      "[one]e]",
    ]);
  });

  it("is counted until the target has it", () => {
    const { output, target } = outputAndTarget();
    target.takes = false;
    const shared = new SharedOutput();
    shared.append(encode("abcdef"));
    output.share(shared, 2, 6);
    expect(output.pendingBytes).toBe(4);
    output.flush();
    expect(output.pendingBytes).toBe(4);
    output.written();
    expect([output.pendingBytes, target.writes]).toEqual([0, ["cdef"]]);
  });
});
