/**
 * A language server with one hover, which says how often the word under the cursor stands in the
 * document.
 *
 *     node examples/lsp/main.ts --address tcp://127.0.0.1:2087     listens; unix:/path and pipe:name too
 *     node examples/lsp/main.ts --pipe=/tmp/editor.sock            connects to the editor that started it,
 *     node examples/lsp/main.ts --socket=6009                      as vscode-languageclient has its servers do
 *
 * The same conversation either way: the wire does not care who called whom.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { connect } from "@hawser/client";
import { contentLength, json, wire } from "@hawser/protocol";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";

const string = { type: "string" } as const;
const { values: options } = parseArgs({
  strict: false,
  options: {
    address: { ...string, default: "tcp://127.0.0.1:2087" },
    pipe: string,
    socket: string,
  },
});

interface Request {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Params | null;
}

/**
 * The parameters of the methods below, all that each may have. What the peer sends is not checked
 * before it is used.
 */
interface Params {
  readonly textDocument?: { readonly uri?: string; readonly text?: string };
  readonly contentChanges?: readonly { readonly text?: string }[];
  readonly position?: { readonly line: number; readonly character: number };
}

type Reply = { readonly jsonrpc: "2.0"; readonly id: number | string } & (
  | { readonly result: unknown }
  | { readonly error: { readonly code: number; readonly message: string } }
);

const rpc = wire({ framing: contentLength(), codec: json() });

/** One editor's conversation. */
class Session {
  readonly #documents = new Map<string, string>();
  #state: "new" | "ready" | "shutdown" | "over" = "new";

  /** Whether the editor has said `exit`. */
  get isOver(): boolean {
    return this.#state === "over";
  }

  /** The reply to a message; null to a notification, and to what is no request at all. */
  reply(message: unknown): Reply | null {
    if (typeof message !== "object" || message === null) return null;
    // its members are looked at as they are used
    const { id, method = "", params } = message as Request;
    if (id === undefined) {
      this.#notified(method, params ?? {});
      return null;
    }
    const error = (code: number, text: string): Reply => ({
      jsonrpc: "2.0",
      id,
      error: { code, message: text },
    });
    if (this.#state === "new" && method !== "initialize")
      return error(-32002, "initialize comes first");
    if (this.#state === "shutdown") return error(-32600, "the server is shut down");
    switch (method) {
      case "initialize":
        this.#state = "ready";
        return {
          jsonrpc: "2.0",
          id,
          result: {
            capabilities: { textDocumentSync: 1, hoverProvider: true },
            serverInfo: { name: "hawser-lsp" },
          },
        };
      case "textDocument/hover":
        return { jsonrpc: "2.0", id, result: this.#hover(params ?? {}) };
      case "shutdown":
        this.#state = "shutdown";
        return { jsonrpc: "2.0", id, result: null };
      default:
        return error(-32601, `there is no method ${method.slice(0, 100)}`);
    }
  }

  #notified(method: string, { textDocument, contentChanges }: Params): void {
    const uri = textDocument?.uri ?? "";
    if (method === "textDocument/didOpen") this.#documents.set(uri, textDocument?.text ?? "");
    else if (method === "textDocument/didChange")
      // textDocumentSync 1: whole documents
      this.#documents.set(uri, contentChanges?.at(-1)?.text ?? "");
    else if (method === "textDocument/didClose") this.#documents.delete(uri);
    else if (method === "exit") this.#state = "over";
  }

  #hover({ textDocument, position }: Params): { readonly contents: string } | null {
    const text = this.#documents.get(textDocument?.uri ?? "") ?? "";
    const line = text.split(/\r\n|\r|\n/)[position?.line ?? 0] ?? "";
    const isAt = ({ index, 0: word }: RegExpExecArray): boolean =>
      index <= (position?.character ?? 0) && (position?.character ?? 0) < index + word.length;
    const word = [...line.matchAll(/\w+/g)].find(isAt)?.[0];
    if (word === undefined) return null;
    const count = [...text.matchAll(/\w+/g)].filter(([each]) => each === word).length;
    return { contents: `"${word}" stands here ${count === 1 ? "once" : `${count} times`}` };
  }
}

const sessions = new WeakMap<object, Session>();
const caller =
  typeof options.pipe === "string"
    ? `unix:${options.pipe}`
    : typeof options.socket === "string"
      ? `tcp://127.0.0.1:${options.socket}`
      : null;

if (caller !== null) {
  const socket = await connect(rpc, caller);
  console.log(`connected to ${socket.remote}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      socket.end();
    });
  const session = new Session();
  for await (const message of socket) {
    const reply = session.reply(message);
    if (reply !== null && socket.state === "open" && !socket.send(reply)) await socket.writable();
    if (session.isOver) socket.end();
  }
} else {
  const server = createServer(
    rpc,
    {
      message(message, socket) {
        const session = sessions.get(socket) ?? new Session();
        sessions.set(socket, session);
        const reply = session.reply(message);
        if (reply !== null && socket.state === "open" && !socket.send(reply))
          return socket.writable();
        if (session.isOver) socket.end();
        return undefined;
      },
      error(error) {
        console.error(error.message);
      },
    },
    { idleTimeoutMs: Infinity }, // people read before they hover
  );
  console.log(`listening on ${formatAddress(await server.listen(String(options.address)))}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void server.close({ deadlineMs: 1_000 }));
}
