// How connections to the target are made: dialled where it is a server, waited for where it is a
// client.

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Fault } from "./reader.ts";

/** Where connections come from. */
export interface Target {
  readonly role: "client" | "server";
  open(): Promise<Socket>;
  close(): Promise<void>;
}

/** A target that is a server. Its `open()` fails with a {@link Fault} where nothing listens. */
export function serverAt(host: string, port: number): Target {
  return {
    role: "server",
    async open() {
      const socket = connect({ host, port, allowHalfOpen: true });
      try {
        await once(socket, "connect");
      } catch (error) {
        // a socket's error event has an error
        throw new Fault(`cannot connect to ${host}:${port}: ${(error as Error).message}`);
      }
      return socket;
    },
    close: () => Promise.resolve(),
  };
}

/** A target that is a client and connects to a port here, again and again. */
export class ClientTarget implements Target {
  readonly role = "client";
  readonly #server: Server;
  readonly #waitMs: number;
  #sockets: Socket[] = [];
  #waiter: (() => void) | null = null;

  private constructor(server: Server, waitMs: number) {
    this.#server = server;
    this.#waitMs = waitMs;
    server.on("connection", (socket) => {
      socket.on("error", () => undefined);
      this.#sockets.push(socket);
      this.#waiter?.();
    });
  }

  static async listen(host: string, port: number, waitMs: number): Promise<ClientTarget> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.listen(port, host);
    await once(server, "listening");
    return new ClientTarget(server, waitMs);
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** The next connection that the client makes. @throws {Fault} when it makes none in time */
  async open(): Promise<Socket> {
    for (;;) {
      const socket = this.#sockets.shift();
      if (socket?.destroyed === false) {
        socket.resume();
        return socket;
      }
      if (socket !== undefined) continue;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const timer = setTimeout(() => {
        resolve(false);
      }, this.#waitMs);
      this.#waiter = () => {
        resolve(true);
      };
      const came = await promise;
      this.#waiter = null;
      clearTimeout(timer);
      if (!came) throw new Fault(`the client made no connection within ${this.#waitMs} ms`);
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
