// The example of PROTOCOL.md §9: played by two sessions, written as the page has it, and read from
// there.
import { ByteWriter } from "../../src/bytes/writer.ts";
import { defineProtocol, type Protocol } from "../../src/contract/contract.ts";
import { type } from "../../src/contract/schema.ts";
import { nativeSessions } from "../../src/session/native.ts";
import type { Greeter, SessionKind } from "../../src/session/types.ts";
import { countingRandom, End, type EndOptions } from "./ends.ts";

const contract = (version: number): Protocol =>
  defineProtocol({
    name: "echo",
    version,
    accepts: version === 2 ? [1, 2] : [version, version],
    requests: {
      ...(version === 2 ? { ask: {} } : {}),
      say: { input: type<unknown>(), output: type<unknown>(), errors: { rude: type<unknown>() } },
    },
    streams: { count: { input: type<unknown>(), item: type<unknown>() } },
    events: { note: { payload: type<unknown>(), delivery: "at-least-once" } },
  });

const limits = {
  maxMessageBytes: 100_000,
  maxPartials: 2,
  maxConversations: 4,
  windowBytes: 30,
  eventWindowBytes: 1000,
  connectionWindowBytes: 1000,
  laneWindowBytes: 500,
  maxInputBytes: 1_000_000,
};

/** What each side's program does, besides answering what it is asked. */
export interface Section {
  readonly title: string;
  readonly client?: (player: Player) => void;
  readonly server?: (player: Player) => void;
}

/** One side: its session, and for a server what reads a new connection. */
export class Player {
  readonly side: "client" | "server";
  end: End;
  greeter: Greeter | null = null;
  isAdmitted = false;
  nowMs = 0;

  constructor(side: "client" | "server") {
    this.side = side;
    this.end = this.newEnd(1);
  }

  newEnd(version: number): End {
    const options: EndOptions = {
      kind: nativeSessions(contract(version)),
      limits,
      random: countingRandom(),
    };
    const end = new End(this.side, options);
    end.onCall = (call) => {
      const { input } = call;
      if (call.entry.type === "stream") {
        for (let at = 1; at <= Number(input); at++) call.send(at);
        call.end();
      } else if (input === "!") call.fail({ name: "rude", payload: { word: "!" } });
      else call.reply(typeof input === "string" && input.length > 100 ? input.length : input);
    };
    return end;
  }

  /** A new connection; the old one is gone. */
  connect(): void {
    this.end.session.lost(this.nowMs);
    this.end.output = new ByteWriter();
    this.isAdmitted = false;
    if (this.side === "client") this.end.session.attach(this.end.output, this.nowMs);
    else this.greeter = this.kind.greeter({ random: countingRandom() });
  }

  receive(bytes: Uint8Array): void {
    const { session } = this.end;
    if (this.greeter === null) {
      session.receive(bytes, this.nowMs);
      session.transmit(65_536);
      return;
    }
    const greeting = this.greeter.receive(bytes);
    if (greeting === null) return;
    const admission = !greeting.ok || this.isAdmitted ? greeting : this.greeter.admitted();
    this.isAdmitted = true;
    if (admission.ok === null) {
      this.end.output.append(admission.ask);
      return;
    }
    this.greeter = null;
    if (!admission.ok) this.end.output.append(admission.reply);
    else if (greeting.ok)
      session.welcome(
        this.end.output,
        greeting.hello,
        session.canResume(greeting.hello),
        this.nowMs,
      );
  }

  get kind(): SessionKind {
    return this.end.kind;
  }
}

/** The sections, in order; a title that begins with "=" is a new connection. */
export const sections: readonly Section[] = [
  { title: "= Handshake" },
  { title: "A request and its result", client: ({ end }) => void end.open("say", "hi") },
  { title: "A failure that the contract names", client: ({ end }) => void end.open("say", "!") },
  {
    title:
      "A stream: the window is 30 bytes, an item costs 17, so that the third waits for credit; " +
      "STREAM asks for 3 items within 500 ms, and has a trace",
    client: ({ end }) =>
      void end.open("count", 3, {
        timeoutMs: 500,
        trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      }),
  },
  {
    title: "A call that is cancelled before its answer comes, and its id used again",
    client: ({ end }) => {
      end.open("say", 1).cancel();
      end.open("say", 2);
    },
  },
  { title: "A numbered event, acknowledged", client: ({ end }) => void end.emit("note", "a") },
  {
    title: "A PING after 15 seconds of silence",
    client: (player) => {
      player.nowMs += 15_000;
      player.end.session.tick(player.nowMs);
    },
  },
  {
    title: "A request of 65 541 bytes in two pieces; its answer is the length of its text",
    client: ({ end }) => void end.open("say", "a".repeat(65_536)),
  },
  {
    title:
      "= The connection is lost, and with it the event 2 that the client had sent; the session " +
      "is resumed",
    client: (player) => {
      player.end.emit("note", "b");
      player.connect();
    },
    server: (player) => {
      player.connect();
    },
  },
  {
    title: "The server drains; nothing is open, so that the client closes",
    server: ({ end }) => {
      end.session.drain();
    },
  },
  {
    title:
      "= A client of version 2, which accepts version 1 and has one request more: each side is " +
      "told the other's list",
    client: (player) => {
      player.end = player.newEnd(2);
      player.connect();
    },
    server: (player) => {
      player.end = player.newEnd(1);
      player.connect();
    },
  },
  {
    title: "= A client of version 3, which does not accept version 1, is refused",
    client: (player) => {
      player.end = player.newEnd(3);
      player.connect();
    },
    server: (player) => {
      player.connect();
    },
  },
];

/** Bytes of one direction, in one section. */
export interface Token {
  readonly section: number;
  readonly from: "client" | "server";
  readonly bytes: Uint8Array;
}

/** What a side does of its own accord when a section begins. */
export function begin(player: Player, section: number): void {
  const { title, client, server } = sections[section] ?? { title: "" };
  const act = player.side === "client" ? client : server;
  if (act !== undefined) act(player);
  else if (title.startsWith("=")) player.connect();
}

/** Let two sides play all sections. */
export function play(): Token[] {
  const client = new Player("client");
  const server = new Player("server");
  const tokens: Token[] = [];
  sections.forEach((_, section) => {
    begin(client, section);
    begin(server, section);
    for (;;) {
      const [one, other] =
        client.end.output.length > 0 ? ([client, server] as const) : ([server, client] as const);
      one.end.session.transmit(1_000_000);
      const bytes = one.end.take();
      if (bytes.length === 0) return;
      tokens.push({ section, from: one.side, bytes });
      other.receive(bytes);
    }
  });
  return tokens;
}

/** The example as the page has it. */
export function format(tokens: readonly Token[]): string {
  const lines: string[] = [];
  sections.forEach(({ title }, section) => {
    lines.push(`# ${title}`);
    for (const { from, bytes } of tokens.filter((token) => token.section === section)) {
      const mark = from === "client" ? ">" : "<";
      for (const part of parts(bytes)) {
        const isText =
          [0x01, 0x02, 0x03, 0x07, 0x0d, 0x12].includes(part[4] ?? 0) && part[0] !== 0x89;
        hexRuns(isText ? part.subarray(0, 9) : part).forEach((run, at) =>
          lines.push(`${mark} ${run}${at === 0 ? remark(part) : ""}`),
        );
        if (isText)
          for (const line of new TextDecoder().decode(part.subarray(9)).match(/.{0,119}\S/g) ?? [])
            lines.push(`${mark} |${line}`);
      }
    }
    lines.push("");
  });
  return lines
    .map((line) => (line === "" ? "" : `    ${line}`))
    .join("\n")
    .trimEnd();
}

/** The example read from the page. */
export function parse(page: string): Token[] {
  const lines = page
    .slice(page.indexOf("## 9. Example"))
    .split("\n")
    .filter((line) => /^ {4}[#<>]/.test(line))
    .map((line) => line.slice(4));
  const tokens: { section: number; from: "client" | "server"; bytes: number[] }[] = [];
  let section = -1;
  for (const line of lines) {
    if (line.startsWith("#")) {
      section++;
      continue;
    }
    const from = line.startsWith(">") ? "client" : "server";
    const last = tokens.at(-1);
    const token =
      last?.section === section && last.from === from
        ? last
        : ({ section, from, bytes: [] } as const);
    if (token !== last) tokens.push({ ...token, bytes: [] });
    if (line.charAt(2) === "|") {
      tokens.at(-1)?.bytes.push(...new TextEncoder().encode(line.slice(3)));
      continue;
    }
    for (const digits of line.slice(1).replace(/#.*/, "").trim().split(/\s+/)) {
      const [byte = "", count = "1"] = digits.split("*");
      for (let at = 0; at < Number(count); at++)
        tokens.at(-1)?.bytes.push(Number.parseInt(byte, 16));
    }
  }
  return tokens.map(({ section: of, from, bytes }) => ({
    section: of,
    from,
    bytes: Uint8Array.from(bytes),
  }));
}

const NAMES: Readonly<Record<number, string>> = {
  1: "HELLO",
  2: "WELCOME",
  3: "REFUSE",
  4: "PING",
  5: "PONG",
  6: "DRAIN",
  7: "CLOSE",
  8: "ACK",
  9: "REJECT",
  10: "CREDIT",
  11: "WINDOW",
  12: "WANT",
  13: "MESSAGES",
  16: "REQUEST",
  17: "RESULT",
  18: "FAIL",
  19: "CANCEL",
  20: "STREAM",
  21: "ITEM",
  22: "END",
  23: "EVENT",
};

/** The signature, and each frame. */
function parts(bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  let at = 0;
  if (bytes[0] === 0x89) {
    found.push(bytes.subarray(0, 8));
    at = 8;
  }
  while (at < bytes.length) {
    const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0);
    found.push(bytes.subarray(at, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

function remark(part: Uint8Array): string {
  if (part[0] === 0x89) return "   # signature";
  const kind = part[4] ?? 0;
  return `   # ${NAMES[kind & 0x7f] ?? ""}${kind > 0x7f ? ", more follows" : ""}`;
}

/** Hexadecimal in lines of at most 32 bytes; long runs of one byte as byte*count. */
function hexRuns(part: Uint8Array): string[] {
  const words: string[] = [];
  for (let at = 0; at < part.length;) {
    let to = at;
    while (to < part.length && part[to] === part[at]) to++;
    const digits = (part[at] ?? 0).toString(16).padStart(2, "0").toUpperCase();
    if (to - at > 64) words.push(`${digits}*${String(to - at)}`);
    else for (let count = at; count < to; count++) words.push(digits);
    at = to;
  }
  const lines: string[] = [];
  for (let at = 0; at < words.length; at += 32) lines.push(words.slice(at, at + 32).join(" "));
  return lines;
}
