import { connect, type Socket } from "@hawser/client";
import { lines, text, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { afterEach, describe, expect, it } from "vitest";
import {
  type Fault,
  faultProxy,
  type FaultProxyOptions,
  ManualClock,
} from "../../src/testing/mod.ts";

const echo = wire({ framing: lines(), codec: text(), sentinel: "exit" });
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function through(options: FaultProxyOptions, upstream = "tcp://localhost:0") {
  const server = createServer(echo, { message: (message, socket) => void socket.send(message) });
  cleanups.push(() => server.close({ deadlineMs: 0 }));
  const proxy = await faultProxy(await server.listen(upstream), options);
  cleanups.push(() => proxy.close());
  return { server, proxy, socket: await connect(echo, proxy.address) };
}

async function roundTrip(socket: Socket<string>, message: string): Promise<string> {
  socket.send(message);
  const { value } = await socket[Symbol.asyncIterator]().next();
  return value ?? "";
}

/** Let time pass by hand until the work is done. */
async function passing<T>(
  clock: ManualClock,
  work: Promise<T>,
  stepMs = 50,
): Promise<{ result: T; tookMs: number }> {
  const startMs = clock.now();
  let done = false;
  const end = (): void => {
    done = true;
  };
  work.then(end, end);
  while (!(done as boolean)) {
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    if (!(done as boolean)) clock.advance(stepMs);
  }
  return { result: await work, tookMs: clock.now() - startMs };
}

describe("faultProxy()", () => {
  it.each(["tcp://localhost:0", "unix:@hawser-fault-proxy-test"])(
    "passes a conversation through unchanged to %s",
    async (upstream) => {
      const { socket, proxy } = await through({}, upstream);
      expect(await roundTrip(socket, "x".repeat(500_000))).toBe("x".repeat(500_000));
      expect(proxy.links).toBe(1);
      socket.end();
      for await (const message of socket) expect(message).toBe("nothing more");
      expect((await socket.closed).reason).toBe("sentinel");
    },
  );

  it.each<[string, Fault]>([
    ["slices of one byte", { kind: "slice", bytes: 1 }],
    ["slices of varying size", { kind: "slice", bytes: 7, variation: 5 }],
  ])("cuts into %s without losing any", async (_, fault) => {
    let seed = 1;
    const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const { socket } = await through({ faults: { up: [fault], down: [fault] }, random });
    for (const message of ["Hello World!", "äöü€😀", "", "z".repeat(300)])
      expect(await roundTrip(socket, message)).toBe(message);
    socket.abort();
  });

  it("delays by its latency, in each direction", async () => {
    const clock = new ManualClock();
    const { socket } = await through({
      clock,
      faults: { up: [{ kind: "latency", ms: 300 }], down: [{ kind: "latency", ms: 200 }] },
    });
    const { result, tookMs } = await passing(clock, roundTrip(socket, "late"));
    expect(result).toBe("late");
    expect(tookMs).toBeGreaterThanOrEqual(500);
    socket.abort();
  });

  it("trickles at its bandwidth", async () => {
    const clock = new ManualClock();
    const { socket } = await through({
      clock,
      faults: { up: [{ kind: "bandwidth", bytesPerSecond: 1_000 }] },
    });
    const { tookMs } = await passing(clock, roundTrip(socket, "x".repeat(1_999)));
    expect(tookMs).toBeGreaterThanOrEqual(2_000);
    socket.abort();
  });

  it("lets nothing through during a timeout, then closes", async () => {
    const clock = new ManualClock();
    const { socket } = await through({ clock, faults: { up: [{ kind: "timeout", ms: 1_000 }] } });
    socket.send("lost");
    const { tookMs } = await passing(clock, socket.closed);
    expect(tookMs).toBeGreaterThanOrEqual(1_000);
  });

  it("resets, cuts at a limit of bytes, and holds the end of the stream back", async () => {
    const clock = new ManualClock();
    const reset = await through({ clock, faults: { down: [{ kind: "reset", ms: 500 }] } });
    expect((await passing(clock, reset.socket.closed)).tookMs).toBeGreaterThanOrEqual(500);

    const limited = await through({ faults: { down: [{ kind: "limit", bytes: 4 }] } });
    limited.socket.send("abcdef");
    const closed = await limited.socket.closed;
    expect(closed.error?.code).toMatch(/FRAME_TRUNCATED|CONNECTION_RESET/);

    const slow = await through({ clock, faults: { up: [{ kind: "slow-close", ms: 700 }] } });
    slow.socket.end();
    const heard = (async () => {
      for await (const message of slow.socket) expect(message).toBe("nothing");
      return slow.socket.closed;
    })();
    const { result } = await passing(clock, heard);
    expect(result.reason).toBe("sentinel");
  });

  it("cut() loses every connection, and the next one passes", async () => {
    const { socket, proxy } = await through({});
    expect(await roundTrip(socket, "before")).toBe("before");
    proxy.cut();
    await socket.closed;
    expect(proxy.links).toBe(0);
    const next = await connect(echo, proxy.address);
    expect(await roundTrip(next, "after")).toBe("after");
    next.abort();
  });

  it("aborts a client whose server is not there", async () => {
    const proxy = await faultProxy("unix:/nowhere/at/all.sock");
    cleanups.push(() => proxy.close());
    const socket = await connect(echo, proxy.address);
    await socket.closed;
    expect(proxy.links).toBe(0);
  });
});
