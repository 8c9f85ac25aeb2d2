// How a session test gets a server of a contract and its clients, over each transport. As
// transports.ts does for wires.

import assert from "node:assert/strict";
import { connect, type SessionClient, type SessionConnectOptions } from "@hawser/client";
import { type HawserError, isHawserError, type Protocol } from "@hawser/protocol";
import {
  createServer,
  type SessionHandlers,
  type SessionServer,
  type SessionServerOptions,
  type SessionSocket,
} from "@hawser/server";
import { type AddressInput, type Connection, memoryPair } from "@hawser/transport";
import { clientTls, Fixture, serverTls } from "./transports.ts";

export interface ServedContract<P extends Protocol, C> {
  readonly server: SessionServer<P, C>;
  /** What the server reported. */
  readonly errors: HawserError[];
  /** Connect to the server. */
  readonly connect: (options?: SessionConnectOptions<P>) => Promise<SessionClient<P>>;
  /** Connect to it with another contract. */
  readonly connectAs: <Q extends Protocol>(
    contract: Q,
    options?: SessionConnectOptions<Q>,
  ) => Promise<SessionClient<Q>>;
}

/** A {@link Fixture} for contracts. */
export class SessionFixture extends Fixture {
  async serveContract<P extends Protocol, C = undefined>(
    contract: P,
    handlers: SessionHandlers<P, C>,
    options: SessionServerOptions<P, C> = {},
  ): Promise<ServedContract<P, C>> {
    const errors: HawserError[] = [];
    const error = (one: HawserError, socket?: SessionSocket<P, C>): void => {
      errors.push(one);
      options.error?.(one, socket);
    };
    const server = createServer(contract, handlers, { ...options, error });
    this.own({ close: () => server.close({ deadlineMs: 0 }) });
    const target = await this.#target(server);
    const connectAs = async <Q extends Protocol>(
      other: Q,
      clientOptions: SessionConnectOptions<Q> = {},
    ): Promise<SessionClient<Q>> => {
      const client = await connect(
        other,
        target,
        this.transport === "tls" ? { tls: clientTls, ...clientOptions } : clientOptions,
      );
      this.own({
        abort: () => {
          client.abort();
        },
      });
      return client;
    };
    return {
      server,
      errors,
      connectAs,
      connect: (clientOptions) => connectAs(contract, clientOptions),
    };
  }

  /** A server's address, or what makes connections to it. */
  async #target(
    server: Pick<SessionServer<Protocol>, "accept" | "listen">,
  ): Promise<AddressInput | (() => Connection)> {
    if (this.transport === "memory") {
      return () => {
        const [near, far] = memoryPair();
        server.accept(near);
        return far;
      };
    }
    return server.listen(this.address(), this.transport === "tls" ? { tls: serverTls } : {});
  }
}

/** The error of a promise that rejects. */
export async function failure(promise: Promise<unknown>): Promise<HawserError> {
  try {
    await promise;
  } catch (error) {
    if (isHawserError(error)) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "it did not fail" });
}

/** The items of a stream, at most so many. */
export async function taken<T>(items: AsyncIterable<T>, most = Infinity): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) if (list.push(item) >= most) break;
  return list;
}
