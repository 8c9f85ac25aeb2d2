// A peer written by hand, from PROTOCOL.md and with nothing of src/session: frames as bytes, and a
// session that is spoken to with them.
import { ByteWriter } from "../../src/bytes/writer.ts";
import type { SessionLimits } from "../../src/session/limits.ts";
import { frame, framesOf, joined, KIND, SIGNATURE } from "../../src/testing/session-frames.ts";
import { End, type EndOptions, greet } from "./ends.ts";

export {
  filler,
  frame,
  framesOf,
  head,
  joined,
  KIND,
  SIGNATURE,
  u32,
  u64,
} from "../../src/testing/session-frames.ts";

/** Names of the contract `echo` (ends.ts), as both sides number them. */
export const NAME = { note: 0, tick: 1, ask: 2, say: 3, count: 4, talk: 5 } as const;

const messages = [
  ["note", "event", "json", ""],
  ["tick", "event", "json", ""],
  ["ask", "request", "json", ""],
  ["say", "request", "json", ""],
  ["count", "stream", "json", ""],
  ["talk", "stream", "json", ""],
];
const limits = {
  maxMessageBytes: 100_000,
  maxPartials: 2,
  maxConversations: 4,
  windowBytes: 100,
  eventWindowBytes: 100,
};

/** A good HELLO, or one with other members; undefined takes one out. */
export function hello(members: object = {}): string {
  return JSON.stringify({
    hawser: [1, 1],
    protocol: "echo",
    version: 1,
    accepts: [1, 1],
    features: [],
    messages,
    limits,
    ...members,
  });
}

export const SESSION = "00112233445566778899aabbccddeeff";
const ORIGIN = "ffeeddccbbaa99887766554433221100";

/** A good WELCOME, or one with other members. */
export function welcome(members: object = {}): string {
  return JSON.stringify({
    hawser: 1,
    protocol: "echo",
    version: 1,
    accepts: [1, 1],
    features: [],
    messages,
    limits,
    session: SESSION,
    origin: ORIGIN,
    resumed: false,
    received: 0,
    resumeWindowMs: 30_000,
    ...members,
  });
}

/** What the sessions that are spoken to take. */
export const small: Partial<SessionLimits> = { ...limits, maxQueuedBytes: 1_000_000 };

/** A server that has welcomed a client by hand. */
export function readyServer(options: EndOptions = { limits: small }): End {
  const end = new End("server", options);
  const { hello: read } = greet(end.kind, joined(SIGNATURE, frame(KIND.HELLO, 0, hello())));
  end.session.welcome(end.output, read, false, 0);
  end.take();
  end.told();
  return end;
}

/** A client that has attached and waits for a WELCOME by hand. */
export function waitingClient(options: EndOptions = { limits: small }): End {
  const end = new End("client", options);
  end.output = new ByteWriter();
  end.session.attach(end.output, 0);
  end.take();
  return end;
}

/** A client that a server by hand has welcomed. */
export function readyClient(options: EndOptions = { limits: small }): End {
  const end = waitingClient(options);
  end.session.receive(joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome())), 0);
  end.told();
  return end;
}

/** The frames of a chunk, a line each: `RESULT 1 "hi"`. */
export function linesOf(bytes: Uint8Array): string[] {
  return framesOf(bytes).map(({ kind, id, payload, text, more }) => {
    const shown =
      payload.length === 0
        ? ""
        : ["RESULT", "FAIL", "CLOSE", "ITEM", "REFUSE"].includes(kind) && payload.length < 300
          ? ` ${text}`
          : " " +
            (payload.length > 40
              ? `${String(payload.length)} bytes`
              : Array.from(payload, (byte) => byte.toString(16).padStart(2, "0")).join(""));
    return `${kind}${more ? "+" : ""} ${String(id)}${shown}`;
  });
}
