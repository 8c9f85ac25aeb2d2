// Schemas run while a JSON-RPC session reads and writes; one that ends the session, or loses its
// connection, finds it whole.
import { describe, expect, test } from "vitest";
import { defineProtocol } from "../../src/contract/contract.ts";
import { HawserError } from "../../src/errors.ts";
import { jsonRpc } from "../../src/json-rpc/json-rpc.ts";
import { lines } from "../../src/framing/lines.ts";
import type { Schema } from "../../src/contract/schema.ts";
import { End } from "./end.ts";

/** What the schema does besides, once. */
let meanwhile: (() => void) | null = null;

const curious: Schema = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value: unknown) => {
      const run = meanwhile;
      meanwhile = null;
      run?.();
      return { value };
    },
  },
};

const contract = defineProtocol({
  name: "curious",
  version: 1,
  requests: { ask: { input: curious, output: curious, from: "both" } },
  events: { note: { payload: curious } },
});
const ready = (side: "client" | "server", call?: null): End =>
  End.ready(side, {
    kind: jsonRpc(contract, { framing: lines() }),
    ...(call === null ? { call } : {}),
  });

function codeOf(run: () => unknown): string {
  try {
    run();
    return "none";
  } catch (error) {
    return error instanceof HawserError ? error.code : String(error);
  }
}

describe("a schema that ends the session", () => {
  test("while a request or an event is read: no handler sees it, and nothing is answered", () => {
    for (const text of [
      { jsonrpc: "2.0", id: 1, method: "ask", params: [1] },
      { jsonrpc: "2.0", method: "note", params: { a: 1 } },
    ]) {
      const server = ready("server");
      meanwhile = () => {
        server.session.close();
      };
      server.hear(text);
      expect([server.said(), server.log]).toEqual([[], ["over in order"]]);
    }
  });

  test("while an answer is checked: it is not sent", () => {
    const server = ready("server", null);
    server.hear({ jsonrpc: "2.0", id: 1, method: "ask", params: [1] });
    meanwhile = () => {
      server.session.lost(0);
    };
    server.calls[0]?.reply(2);
    expect(server.said()).toEqual([]);
  });

  test("or connects anew while something is sent: it is not sent", () => {
    for (const send of [(end: End) => end.open("ask", 1), (end: End) => end.emit("note", 1)]) {
      const client = ready("client");
      meanwhile = () => {
        client.session.lost(0);
        client.connect();
      };
      expect(codeOf(() => send(client))).toBe("NOT_SENT");
      expect(client.said()).toEqual([]);
    }
  });
});
