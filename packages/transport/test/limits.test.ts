import { describe, expect, it } from "vitest";
import { resolveConnectionLimits, timeLimitTable, writeBufferTable } from "../src/mod.ts";

describe("resolveConnectionLimits()", () => {
  it("gives a server finite times, and a client patience", () => {
    const server = resolveConnectionLimits({}, "server");
    const client = resolveConnectionLimits({}, "client");
    expect(server).toMatchObject({
      frameTimeoutMs: 10_000,
      idleTimeoutMs: 60_000,
      lingerTimeoutMs: 1_000,
    });
    expect(server.frame).toMatchObject({ maxFrameBytes: 1_048_576, onOversize: "close" });
    expect(server.writeBuffer).toEqual({
      highBytes: 65_536,
      lowBytes: 32_768,
      maxBytes: 8_388_608,
      stallMs: 10_000,
    });
    expect([client.idleTimeoutMs, client.writeBuffer.stallMs]).toEqual([Infinity, Infinity]);
  });

  it("takes what is given, and Infinity where the row allows it", () => {
    const limits = resolveConnectionLimits(
      {
        maxFrameBytes: 5,
        onOversize: "skip",
        idleTimeoutMs: Infinity,
        writeBuffer: { lowBytes: 0, stallMs: 7 },
      },
      "server",
    );
    expect(limits).toMatchObject({
      idleTimeoutMs: Infinity,
      frame: { maxFrameBytes: 5, onOversize: "skip" },
      writeBuffer: { lowBytes: 0, stallMs: 7 },
    });
  });

  it.each([
    [{ idleTimeoutMs: 0 }, RangeError],
    [{ frameTimeoutMs: -1 }, RangeError],
    [{ lingerTimeoutMs: Infinity }, RangeError],
    [{ idleTimeoutMs: "60" as never }, TypeError],
    [{ maxFrameBytes: 1.5 }, RangeError],
    [{ onOversize: "drop" as never }, TypeError],
    [{ writeBuffer: { highBytes: 10 } }, RangeError],
    [{ writeBuffer: { highBytes: 9_000_000 } }, RangeError],
  ])("refuses %j, naming the value", (given, kind) => {
    expect(() => resolveConnectionLimits(given, "server")).toThrow(kind);
  });

  it("gives each row of its tables a reason", () => {
    for (const row of [...Object.values(timeLimitTable), ...Object.values(writeBufferTable)])
      expect(row.reason.length).toBeGreaterThan(20);
  });
});
