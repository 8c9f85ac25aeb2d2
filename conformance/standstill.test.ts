// A process that stood still (a stop signal, a suspended machine, a blocked loop) blames nobody:
// what arrived meanwhile is read, and the time does not count.

import assert from "node:assert/strict";
import net from "node:net";
import process from "node:process";
import { afterEach, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connect } from "@hawser/client";
import { lines, text, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { type Program, runFile } from "./programs.ts";
import { conformance, conformanceHandlers } from "./session-contracts.ts";
import { clientTls, serverTls } from "./transports.ts";

const path = fileURLToPath(new URL("standstill/program.ts", import.meta.url));
/** Above every limit of the program. */
const STOP_MS = 1_800;

/** A peer of plain node:net, and the lines that it has read. */
class Peer {
  readonly lines: string[] = [];
  readonly socket: net.Socket;
  #rest = "";
  readonly #waiting: (() => void)[] = [];

  constructor(port: number) {
    this.socket = net.connect(port, "127.0.0.1");
    this.socket.setEncoding("utf8").on("data", (chunk: string) => {
      const parts = (this.#rest + chunk).split("\n");
      this.#rest = parts.pop() ?? "";
      this.lines.push(...parts);
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.socket.on("close", () => {
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.socket.on("error", () => undefined);
  }

  /** Resolves with the line of that number, or undefined when the connection is closed before. */
  async line(index: number): Promise<string | undefined> {
    while (this.lines[index] === undefined && !this.socket.closed)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.lines[index];
  }
}

describe(
  "a process that stood still",
  { skip: process.platform === "win32", timeout: 30_000 },
  () => {
    const programs: Program[] = [];
    const start = (...args: string[]): Program => {
      const program = runFile(path, args);
      programs.push(program);
      return program;
    };
    afterEach(async () => {
      for (const program of programs.splice(0)) await program.close();
    });

    it(
      "a server: no peer is idle, half a frame old, or slow for it; and afterwards they are",
      { timeout: 30_000 },
      async () => {
        const program = start("server");
        const port = Number((await program.said(/listening (\d+)/))[1]);
        const steady = new Peer(port);
        const halfway = new Peer(port);
        const reader = new Peer(port);
        const peers = [steady, halfway, reader];
        for (const each of peers) each.socket.write("hello\n");
        for (const each of peers) assert.equal(await each.line(0), "hello");
        halfway.socket.write("half a ");
        reader.socket.write("give\n".repeat(6));
        await reader.line(1); // it is sending
        const talking = setInterval(() => steady.socket.write("."), 100);
        program.kill("SIGSTOP");
        await pause(STOP_MS / 2);
        halfway.socket.write("frame\n");
        await pause(STOP_MS / 2);
        program.kill("SIGCONT");
        assert.equal(await halfway.line(1), "half a frame");
        assert.equal((await reader.line(6))?.length, 1_000_000);
        clearInterval(talking);
        steady.socket.write("\n");
        assert.match((await steady.line(1)) ?? "closed", /^\.+$/);
        assert.equal(program.stdout.includes("error"), false, program.stdout);
        await program.said(/(error IDLE_TIMEOUT\s+){3}/);
        for (const each of peers) each.socket.destroy();
      },
    );

    it(
      "a client: its heartbeat does not take the connection for lost",
      { timeout: 30_000 },
      async () => {
        const server = createServer(conformance, conformanceHandlers, { heartbeatMs: 60_000 });
        const program = start("client", formatAddress(await server.listen("tcp://127.0.0.1:0")));
        await program.said(/ready/);
        await pause(600); // a PING of its may be under way
        program.kill("SIGSTOP");
        await pause(STOP_MS);
        program.kill("SIGCONT");
        program.say("how are you?");
        await program.said(/state ready/);
        await pause(1_000); // above both of its limits
        program.say("and now?");
        await program.said(/state ready\s+state ready/);
        assert.equal(program.stdout.includes("disconnected"), false, program.stdout);
        await program.close();
        await server.close({ deadlineMs: 0 });
      },
    );

    it(
      "connections that were made while the loop was blocked are not CONNECT_TIMEOUT",
      { timeout: 30_000 },
      async () => {
        const echo = wire({ framing: lines(), codec: text() });
        for (const tls of [undefined, serverTls]) {
          const server = createServer(
            echo,
            { message: (message, socket) => void socket.send(message) },
            { tls },
          );
          const address = await server.listen(`${tls === undefined ? "tcp" : "tls"}://localhost:0`);
          const connecting = connect(echo, address, { connectTimeoutMs: 300, tls: clientTls });
          const until = performance.now() + 900;
          while (performance.now() < until); // the loop stands still
          const socket = await connecting;
          socket.send("made");
          assert.equal((await socket[Symbol.asyncIterator]().next()).value, "made");
          socket.abort();
          await server.close({ deadlineMs: 0 });
        }
      },
    );
  },
);
