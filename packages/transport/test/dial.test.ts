import { EventEmitter, once } from "node:events";
import net from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { dial, systemClock } from "../src/mod.ts";

/**
 * What the runtimes report when the first of a host's addresses was given up after a moment, and
 * the second refuses.
 */
function hastyFailure(): net.Socket {
  const socket = Object.assign(new EventEmitter(), { destroy: () => socket, pause: () => socket });
  const error = (code: string): Error => Object.assign(new Error(code), { code });
  setImmediate(() =>
    socket.emit("error", new AggregateError([error("ETIMEDOUT"), error("ECONNREFUSED")])),
  );
  return socket as unknown as net.Socket; // what dial() uses of one before it is connected
}

describe("dial() of a host with several addresses", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("gives each all the time that is left, when attempts of a moment came to nothing", async () => {
    const server = net.createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo; // it listens on a port
    const { connect } = net;
    const given: (number | undefined)[] = [];
    vi.spyOn(net, "connect").mockImplementation(((options: net.TcpNetConnectOpts) => {
      given.push(options.autoSelectFamilyAttemptTimeout);
      return given.length === 1 ? hastyFailure() : connect(options);
    }) as typeof net.connect);
    const connection = await dial(
      { transport: "tcp", host: "127.0.0.1", port },
      { clock: systemClock, connectTimeoutMs: 10_000 },
    );
    expect(given).toEqual([250, expect.toSatisfy((ms: number) => ms > 5_000 && ms <= 10_000)]);
    connection.abort();
    server.close();
  });

  it("does not try again when no time is left", async () => {
    const attempts = vi.spyOn(net, "connect").mockImplementation(() => hastyFailure());
    const dialling = dial(
      { transport: "tcp", host: "127.0.0.1", port: 1 },
      { clock: systemClock, connectTimeoutMs: 200 },
    );
    await expect(dialling).rejects.toMatchObject({ code: "CONNECT_TIMEOUT" });
    expect(attempts).toHaveBeenCalledTimes(1);
  });
});
