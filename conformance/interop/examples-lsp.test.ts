// examples/lsp, driven by vscode-jsonrpc over its socket and pipe transports, in both directions of
// the call.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  createClientPipeTransport,
  createClientSocketTransport,
  createMessageConnection,
  createServerPipeTransport,
  createServerSocketTransport,
  type MessageConnection,
  type MessageReader,
  type MessageWriter,
} from "vscode-jsonrpc/node";
import { start } from "./examples.ts";

const uri = "file:///notes.txt";

/** An editor's conversation, from `initialize` to `exit`. */
async function edit([reader, writer]: readonly [MessageReader, MessageWriter]): Promise<void> {
  const connection: MessageConnection = createMessageConnection(reader, writer);
  const closed = new Promise<void>((resolve) => {
    connection.onClose(() => {
      resolve();
    });
  });
  connection.listen();
  await assert.rejects(connection.sendRequest("textDocument/hover", {}), { code: -32002 });
  const { capabilities } = await connection.sendRequest<{
    capabilities: { hoverProvider: boolean };
  }>("initialize", { processId: null, rootUri: null, capabilities: {} });
  assert.equal(capabilities.hoverProvider, true);
  await connection.sendNotification("initialized", {});
  await connection.sendNotification("textDocument/didOpen", {
    textDocument: {
      uri,
      languageId: "plaintext",
      version: 1,
      text: `rope and rope\n${"knot ".repeat(20_000)}`,
    },
  });
  const hover = (line: number, character: number): Promise<unknown> =>
    connection.sendRequest("textDocument/hover", {
      textDocument: { uri },
      position: { line, character },
    });
  assert.deepEqual(await hover(0, 10), { contents: '"rope" stands here 2 times' });
  assert.deepEqual(await hover(0, 5), { contents: '"and" stands here once' });
  assert.equal(await hover(7, 0), null);
  const many = await Promise.all(Array.from({ length: 100 }, () => hover(1, 1)));
  assert.deepEqual(many[99], { contents: '"knot" stands here 20000 times' });
  await connection.sendNotification("textDocument/didChange", {
    textDocument: { uri, version: 2 },
    contentChanges: [{ text: "größe" }],
  });
  assert.equal(((await hover(0, 0)) as { contents: string }).contents, '"gr" stands here once');
  await assert.rejects(connection.sendRequest("textDocument/definition", {}), { code: -32601 });
  assert.equal(await connection.sendRequest("shutdown"), null);
  await connection.sendNotification("exit");
  await closed;
  connection.dispose();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // of TCP
  server.close();
  await once(server, "close");
  return port;
}

describe("examples/lsp", () => {
  it("listens on TCP, and vscode-jsonrpc calls it", async (t) => {
    const { port } = await start(t, "lsp", "--address", "tcp://127.0.0.1:0");
    await edit(createServerSocketTransport(port));
  });

  it("listens on a pipe, and vscode-jsonrpc calls it", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "hawser-lsp-"));
    t.after(() => {
      rmSync(directory, { recursive: true, force: true });
    });
    const path = join(directory, "lsp.sock");
    await start(t, "lsp", "--address", `unix:${path}`);
    await edit(createServerPipeTransport(path));
  });

  it("calls the pipe that vscode-jsonrpc listens on, and ends with the conversation", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "hawser-lsp-"));
    t.after(() => {
      rmSync(directory, { recursive: true, force: true });
    });
    const path = join(directory, "editor.sock");
    const transport = await createClientPipeTransport(path);
    const { ended } = await start(t, "lsp", `--pipe=${path}`);
    await edit(await transport.onConnected());
    assert.equal(await ended, 0);
  });

  it("calls the port that vscode-jsonrpc listens on", async (t) => {
    const port = await freePort(); // the transport takes no 0
    const transport = await createClientSocketTransport(port);
    const { ended } = await start(t, "lsp", `--socket=${port}`);
    await edit(await transport.onConnected());
    assert.equal(await ended, 0);
  });
});
