// {memory, tcp, tls, unix}: the one way in which a test gets a server and its clients, over each of
// them. Owns their addresses, certificates and their end: what a test opened here is closed when it
// is over.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "node:test";
import { fileURLToPath } from "node:url";
import { connect, type ConnectOptions, type Socket } from "@hawser/client";
import type { Wire } from "@hawser/protocol";
import { createServer, type Server, type ServerOptions, type WireHandlers } from "@hawser/server";
import { type AddressInput, memoryPair } from "@hawser/transport";

export type TransportName = "memory" | "tcp" | "tls" | "unix";

export const transports: readonly TransportName[] = ["memory", "tcp", "tls", "unix"];

/**
 * A server, and clients for it; a client may speak another wire, `raw()` to write bytes as it
 * likes.
 */
export interface Served<In, Out> {
  readonly server: Server<In, Out>;
  readonly connect: <I, O = I>(wire: Wire<I, O>, options?: ConnectOptions) => Promise<Socket<I, O>>;
}

export interface Pair<In, Out> extends Served<In, Out> {
  readonly socket: Socket<In, Out>;
}

interface Closable {
  abort?(): void;
  close?(): unknown;
}

/** Called in a `describe`: what its tests open with this is closed after each. */
export class Fixture {
  readonly transport: TransportName;
  readonly #opened: Closable[] = [];

  constructor(transport: TransportName = "tcp") {
    this.transport = transport;
    afterEach(async () => {
      const opened = this.#opened.splice(0).reverse();
      for (const each of opened) each.abort?.();
      for (const each of opened) await each.close?.();
    });
  }

  /** Have something closed at the end of the test. */
  own<T extends Closable>(closable: T): T {
    this.#opened.push(closable);
    return closable;
  }

  /** An empty directory of the test's own. */
  directory(): string {
    const directory = mkdtempSync(join(tmpdir(), "hawser-"));
    this.own({
      close: () => {
        rmSync(directory, { recursive: true, force: true });
      },
    });
    return directory;
  }

  /** A server that does not listen. */
  server<In, Out = In>(
    wire: Wire<In, Out>,
    handlers: WireHandlers<In, Out>,
    options: ServerOptions = {},
  ): Server<In, Out> {
    const server = createServer(wire, handlers, options);
    this.own({
      abort: () => {
        for (const socket of server.sockets) socket.abort();
      },
      close: () => server.close({ deadlineMs: 0 }),
    });
    return server;
  }

  async serve<In, Out = In>(
    wire: Wire<In, Out>,
    handlers: WireHandlers<In, Out>,
    options: ServerOptions = {},
  ): Promise<Served<In, Out>> {
    const server = this.server(wire, handlers, options);
    if (this.transport === "memory") {
      const accepted: Served<In, Out>["connect"] = (clientWire, clientOptions) => {
        const [near, far] = memoryPair();
        server.accept(near);
        return this.#connected(connect(clientWire, far, clientOptions));
      };
      return { server, connect: accepted };
    }
    const address = await server.listen(
      this.address(),
      this.transport === "tls" && options.tls === undefined ? { tls: serverTls } : {},
    );
    const dialled: Served<In, Out>["connect"] = (clientWire, clientOptions) =>
      this.#connected(
        connect(
          clientWire,
          address,
          this.transport === "tls" ? { tls: clientTls, ...clientOptions } : clientOptions,
        ),
      );
    return { server, connect: dialled };
  }

  /** A server, and one client of it. */
  async pair<In, Out = In>(
    wire: Wire<In, Out>,
    handlers: WireHandlers<In, Out>,
    serverOptions: ServerOptions = {},
    clientOptions: ConnectOptions = {},
  ): Promise<Pair<In, Out>> {
    const served = await this.serve(wire, handlers, serverOptions);
    // In and Out are named for the server's end; the wires here are the same in both directions.
    return { ...served, socket: await served.connect(wire, clientOptions) };
  }

  /** Where a server of this transport may listen. */
  address(): AddressInput {
    switch (this.transport) {
      case "unix":
        return `unix:${join(this.directory(), "test.sock")}`;
      case "tls":
        return "tls://localhost:0";
      default:
        return "tcp://localhost:0";
    }
  }

  async #connected<In, Out>(connecting: Promise<Socket<In, Out>>): Promise<Socket<In, Out>> {
    const socket = await connecting;
    this.own({
      abort: () => {
        socket.abort();
      },
    });
    return socket;
  }
}

/** The text of a file under certificates/. */
export function certificate(name: string): string {
  return readFileSync(fileURLToPath(new URL(`certificates/${name}`, import.meta.url)), "utf8");
}

export const serverTls = { cert: certificate("server.crt"), key: certificate("server.key") };
export const clientTls = { ca: certificate("ca.crt") };
