// examples/node-ipc, driven by the client of @achrinza/node-ipc, a maintained fork, pinned in
// package.json.
//
// Not `node-ipc` itself: its releases 9.1.6, 9.2.3 and 12.0.1 are malicious, and 9.2.2, 10.1.1,
// 10.1.2 and 11 turned on their users (CVE-2022-23812). Neither this fork nor what it depends on
// has an install script, and pnpm runs none that is not allowed.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { start } from "./examples.ts";

/** What is used of it; it has no types of its own. */
interface NodeIpc {
  readonly IPCModule: new () => Client;
}

interface Client {
  readonly config: object;
  readonly of: Record<string, Server | undefined>;
  connectTo(id: string, connected: () => void): void;
  disconnect(id: string): void;
}

interface Server {
  on(type: string, listener: (data: unknown) => void): void;
  emit(type: string, data?: unknown): void;
}

// what it exports to require()
const { IPCModule } = createRequire(import.meta.url)("@achrinza/node-ipc") as NodeIpc;

/** The example, at a place of its own, and a way to connect clients of node-ipc to it. */
async function serve(t: TestContext): Promise<() => Promise<Server>> {
  const directory = mkdtempSync(join(tmpdir(), "hawser-ipc-"));
  t.after(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  await start(t, "node-ipc", "--address", `unix:${directory}/app.hawser`);
  return async () => {
    const ipc = new IPCModule();
    Object.assign(ipc.config, {
      silent: true,
      socketRoot: `${directory}/`,
      maxRetries: 0,
      stopRetrying: true,
    });
    const connected = new Promise<void>((resolve) => {
      ipc.connectTo("hawser", () => {
        ipc.of["hawser"]?.on("connect", () => {
          resolve();
        });
      });
    });
    await connected;
    t.after(() => {
      ipc.disconnect("hawser");
    });
    return ipc.of["hawser"] as Server; // it is connected
  };
}

/** The data of the next event of a type. */
const next = (server: Server, type: string): Promise<unknown> =>
  new Promise((resolve) => {
    server.on(type, resolve);
  });

describe("examples/node-ipc", () => {
  it("answers the client of node-ipc, in whatever its JSON holds", async (t) => {
    const connect = await serve(t);
    const client = await connect();
    const data = {
      text: "form feed \f, newline \n, größe, \u{1f40b}",
      list: [1, null, true, { nested: "x".repeat(200_000) }],
    };
    const answer = next(client, "message");
    client.emit("message", data);
    assert.deepEqual(await answer, data);
    const refusal = next(client, "error");
    client.emit("nonsense", 1);
    assert.equal(await refusal, 'there is no type "nonsense"');
  });

  it("answers every one of many messages that the client sends at once, in order", async (t) => {
    const connect = await serve(t);
    const client = await connect();
    const got: unknown[] = [];
    const all = new Promise<void>((resolve) => {
      client.on("message", (data) => {
        if (got.push(data) === 1_000) resolve();
      });
    });
    for (let index = 1; index <= 1_000; index++) client.emit("message", { index });
    await all;
    assert.deepEqual(
      got,
      Array.from({ length: 1_000 }, (_, index) => ({ index: index + 1 })),
    );
  });

  it("tells the other clients what one of them shouts", async (t) => {
    const connect = await serve(t);
    const [one, two] = [await connect(), await connect()];
    const who = next(one, "who");
    one.emit("who");
    assert.deepEqual(await who, { connected: 2 });
    const heard = next(two, "shout");
    one.emit("shout", "land ho");
    assert.equal(await heard, "land ho");
  });
});
