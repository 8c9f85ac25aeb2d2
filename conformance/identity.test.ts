// A session's identity that leaks is of no use to another principal: while the session is live,
// lost, and resumed; for clients that are known by a token, and by their certificate.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect, type SessionClient } from "@hawser/client";
import { defineProtocol, HawserError, type } from "@hawser/protocol";
import type { Hello } from "@hawser/protocol";
import {
  frame,
  framesOf,
  head,
  joined,
  KIND,
  type ReadFrame,
  SIGNATURE,
} from "@hawser/protocol/testing";
import {
  createServer,
  type SessionPeer,
  type SessionServer,
  type SessionServerOptions,
} from "@hawser/server";
import {
  type AddressInput,
  type Connection,
  dial,
  parseAddress,
  systemClock,
  type TlsOptions,
} from "@hawser/transport";
import { rawBytes, turns, until } from "./conversation.ts";
import { SessionFixture } from "./sessions.ts";
import { certificate, clientTls, serverTls } from "./transports.ts";

interface Agent {
  readonly user: string;
  readonly rights: string;
}

const desk = defineProtocol({
  name: "desk",
  version: 1,
  requests: { who: { output: type<Agent>() } },
  events: {
    secret: { payload: type<string>(), from: "server", delivery: "at-least-once" },
    told: { payload: type<string>(), from: "client", delivery: "at-least-once" },
  },
});
type Desk = typeof desk;
const NAMES = desk.messages.map(({ name }) => name);

/** One way in which clients prove who they are. */
interface Way {
  readonly title: string;
  readonly address: AddressInput;
  readonly serverTls?: TlsOptions;
  authenticate(hello: Hello, peer: SessionPeer): Agent;
  /** What a client of that name shows. */
  shown(user: "one" | "two" | "nobody"): { readonly auth?: string; readonly tls?: TlsOptions };
}

/** What each user may do now. */
const rights = new Map<string, string>();

function agent(user: string | undefined): Agent {
  if (user === undefined || user === "nobody")
    throw new HawserError("AUTH_REFUSED", "Show who you are");
  return { user, rights: rights.get(user) ?? "all" };
}

const ways: readonly Way[] = [
  {
    title: "token",
    address: "tcp://localhost:0",
    authenticate: ({ auth }) =>
      agent(typeof auth === "string" && auth.startsWith("token of ") ? auth.slice(9) : undefined),
    shown: (user) => ({ auth: `token of ${user}` }),
  },
  {
    title: "client certificate",
    address: "tls://localhost:0",
    serverTls: { ...serverTls, ca: certificate("agents-ca.crt"), clientCertificate: "optional" },
    authenticate: (_, { certificate: shown }) =>
      agent(
        typeof shown?.subject["CN"] === "string"
          ? shown.subject["CN"].replace("agent ", "")
          : undefined,
      ),
    shown: (user) => ({
      tls:
        user === "nobody"
          ? clientTls
          : {
              ...clientTls,
              cert: certificate(`agent-${user}.crt`),
              key: certificate(`agent-${user}.key`),
            },
    }),
  },
];

for (const way of ways) {
  describe(`a session's identity, of clients who are known by ${way.title}`, () => {
    const fixture = new SessionFixture("tcp");

    interface World {
      readonly server: SessionServer<Desk, Agent>;
      readonly errors: HawserError[];
      /** What the server was told: who told it. */
      readonly told: string[];
      readonly log: string[];
      readonly address: AddressInput;
      /** A client of user one, and what is done to it. */
      readonly client: SessionClient<Desk>;
      readonly secrets: string[];
      /** Break the client's connection off, and keep it from coming back. */
      lose(): Promise<void>;
      /** Let it come back. */
      restore(): void;
    }

    async function world(options: SessionServerOptions<Desk, Agent> = {}): Promise<World> {
      rights.clear();
      const told: string[] = [];
      const log: string[] = [];
      const errors: HawserError[] = [];
      const server = createServer(
        desk,
        {
          who: (_, { context }) => context,
          told: (payload, { context }) => void told.push(`${context.user}: ${payload}`),
        },
        {
          authenticate: (hello: Hello, peer: SessionPeer<Agent>) => way.authenticate(hello, peer),
          principal: ({ user }) => user,
          error: (error) => void errors.push(error),
          open: (socket) => void log.push(`open ${socket.label} ${socket.context.user}`),
          disconnected: (socket) => void log.push(`disconnected ${socket.label}`),
          resumed: (socket) => void log.push(`resumed ${socket.label} ${socket.context.user}`),
          close: (socket) => void log.push(`close ${socket.label}`),
          ...options,
        },
      );
      fixture.own({ close: () => server.close({ deadlineMs: 0 }) });
      const address = await server.listen(
        way.address,
        way.serverTls === undefined ? {} : { tls: way.serverTls },
      );
      const shown = way.shown("one");
      let gate: Promise<undefined> = Promise.resolve(undefined);
      let open = (): void => undefined;
      let current: Connection | null = null;
      const dialled = async (): Promise<Connection> => {
        await gate;
        return (current = await dial(parseAddress(address), {
          clock: systemClock,
          connectTimeoutMs: 60_000,
          tls: shown.tls,
        }));
      };
      const client = await connect(desk, dialled, {
        auth: shown.auth,
        reconnect: { initialMs: 1 },
      });
      client.lifecycle.on("error", () => undefined);
      fixture.own({
        abort: () => {
          open();
          client.abort();
        },
      });
      const secrets: string[] = [];
      client.on("secret", (payload) => void secrets.push(payload));
      assert.deepEqual(await client.request("who"), { user: "one", rights: "all" });
      const lose = async (): Promise<void> => {
        const closed = Promise.withResolvers<undefined>();
        gate = closed.promise;
        open = () => {
          closed.resolve(undefined);
        };
        current?.abort();
        await until(() => [...server.sockets].some(({ state }) => state === "lost"));
      };
      return {
        server,
        errors,
        told,
        log,
        address,
        client,
        secrets,
        lose,
        restore: () => {
          open();
        },
      };
    }

    /** The answer to a HELLO that wants to go on with a session, and the frames behind it. */
    interface Answer {
      readonly code: string | null;
      readonly resumed: boolean | null;
      readonly session: string | null;
      /** All frames so far. */
      readonly frames: () => ReadFrame[];
      ask(): Promise<unknown>;
      leave(): Promise<void>;
    }

    async function tryToResume(
      address: AddressInput,
      user: "one" | "two" | "nobody",
      session: string,
      received = 0,
    ): Promise<Answer> {
      const { auth, tls } = way.shown(user);
      const socket = fixture.own(
        await connect(rawBytes, address, tls === undefined ? {} : { tls }),
      );
      const limits = {
        maxMessageBytes: 1_048_576,
        maxPartials: 4,
        maxConversations: 4,
        windowBytes: 65_536,
        eventWindowBytes: 65_536,
      };
      const messages = desk.messages.map((entry) => [
        entry.name,
        entry.type,
        entry.codec.name,
        entry.digest,
      ]);
      const hello = {
        hawser: [1, 1],
        protocol: "desk",
        version: 1,
        accepts: [1, 1],
        features: [],
        messages,
        limits,
        auth,
        resume: { session, received },
      };
      socket.send(joined(SIGNATURE, frame(KIND.HELLO, 0, JSON.stringify(hello))));
      let came: Uint8Array = new Uint8Array(0);
      let isOver = false;
      void (async () => {
        for await (const chunk of socket) came = joined(came, chunk);
      })()
        .catch(() => undefined)
        .finally(() => (isOver = true));
      const frames = (): ReadFrame[] => {
        let end = SIGNATURE.length;
        while (end + 4 <= came.length) {
          const next = end + 4 + new DataView(came.buffer, came.byteOffset + end).getUint32(0);
          if (next > came.length) break;
          end = next;
        }
        return framesOf(came.subarray(SIGNATURE.length, end));
      };
      await until(() => frames().length > 0 || isOver);
      const [first] = frames();
      const {
        code = null,
        resumed = null,
        session: given = null,
      } = JSON.parse(first?.text ?? "{}") as { code?: string; resumed?: boolean; session?: string };
      const ask = async (): Promise<unknown> => {
        socket.send(frame(KIND.REQUEST, 1, head(NAMES.indexOf("who"))));
        await until(() => frames().some(({ kind }) => kind === "RESULT"));
        return JSON.parse(frames().find(({ kind }) => kind === "RESULT")?.text ?? "null");
      };
      const leave = async (): Promise<void> => {
        socket.abort();
        await socket.closed;
      };
      return { code, resumed, session: given, frames, ask, leave };
    }

    /**
     * Another principal, with a right credential of its own, gets a session of its own and nothing
     * else.
     */
    async function assertUseless(
      { address, errors, client }: World,
      session: string,
    ): Promise<void> {
      const before = errors.length;
      const thief = await tryToResume(address, "two", session);
      assert.deepEqual([thief.code, thief.resumed], [null, false]);
      assert.notEqual(thief.session, session);
      assert.notEqual(thief.session, client.id);
      assert.deepEqual(await thief.ask(), { user: "two", rights: "all" });
      assert(
        thief.frames().every(({ kind }) => kind !== "EVENT"),
        "it has no event of the other's",
      );
      const isNewest = session === client.id;
      assert.equal(
        errors.slice(before).some(({ code }) => code === "AUTH_REFUSED"),
        isNewest,
        "the server is told, where the identity is that of a session",
      );
      await thief.leave();
      const nobody = await tryToResume(address, "nobody", session);
      assert.deepEqual([nobody.code, nobody.session], ["AUTH_REFUSED", null]);
    }

    it("is of no use to another principal while the session is live", async () => {
      const one = await world();
      await assertUseless(one, one.client.id);
      assert.deepEqual(await one.client.request("who"), { user: "one", rights: "all" });
      assert.equal(await one.client.emit("told", "still here"), "delivered");
      const [session] = [...one.server.sockets].filter(({ context }) => context.user === "one");
      assert.equal(await session?.emit("secret", "for one"), "delivered");
      assert.deepEqual(one.secrets, ["for one"]);
      assert.deepEqual(one.told, ["one: still here"]);
      assert.deepEqual(
        one.log.filter((line) => line.includes("desk#1")),
        ["open desk#1 one"],
        "its own client noticed nothing",
      );
    });

    it("is of no use to another principal while the connection is lost, and its own client goes on", async () => {
      const one = await world();
      const [session] = one.server.sockets;
      await one.lose();
      const outcome = session?.emit("secret", "while away");
      await assertUseless(one, one.client.id);
      one.restore();
      assert.equal(await outcome, "delivered");
      assert.deepEqual(one.secrets, ["while away"]);
      assert.equal(session?.state, "ready");
      assert.deepEqual(await one.client.request("who"), { user: "one", rights: "all" });
      assert(one.log.includes("resumed desk#1 one"));
    });

    it(
      "is of no use to another principal after the session was resumed, neither the newest nor " +
        "those before",
      async () => {
        const one = await world();
        const identities = new Set([one.client.id]);
        for (let i = 0; i < 3; i++) {
          await one.lose();
          one.restore();
          assert.deepEqual(
            await one.client.request("who").catch(async () => {
              await one.client.ready;
              return one.client.request("who");
            }),
            { user: "one", rights: "all" },
          );
          identities.add(one.client.id);
        }
        assert.equal(identities.size, 4);
        for (const identity of identities) await assertUseless(one, identity);
        for (const identity of [...identities].slice(0, -1)) {
          const stale = await tryToResume(one.address, "one", identity);
          assert.deepEqual(
            [stale.code, stale.resumed],
            [null, false],
            "it is spent, also for its own principal",
          );
          await stale.leave();
        }
        assert.deepEqual(await one.client.request("who"), { user: "one", rights: "all" });
        assert.equal(one.log.filter((line) => line === "resumed desk#1 one").length, 3);
      },
    );

    it("is what its own principal goes on with", async () => {
      const one = await world();
      await one.lose();
      const same = await tryToResume(one.address, "one", one.client.id);
      assert.deepEqual(
        [same.code, same.resumed],
        [null, true],
        "so the attempts above fail for their principal alone",
      );
      assert.deepEqual(await same.ask(), { user: "one", rights: "all" });
    });

    it("that was made up is that of no session", async () => {
      const one = await world();
      const guess = await tryToResume(one.address, "one", "0".repeat(32));
      assert.deepEqual([guess.code, guess.resumed], [null, false]);
      assert.equal(one.errors.length, 0);
    });

    it(
      "gives no more than the newest credential: reduced rights take effect at the next " +
        "resumption",
      async () => {
        const one = await world();
        const [session] = one.server.sockets;
        rights.set("one", "none");
        await one.lose();
        one.restore();
        await until(() => session?.state === "ready");
        await one.client.ready;
        assert.deepEqual(await one.client.request("who"), { user: "one", rights: "none" });
        assert.equal(session?.context.rights, "none");
      },
    );

    it("gives nothing once the credential is refused, though it be the client's own", async () => {
      let isRevoked = false;
      const one = await world({
        authenticate: (hello: Hello, peer: SessionPeer<Agent>) => {
          if (isRevoked) throw new HawserError("AUTH_REFUSED", "This credential was revoked");
          return way.authenticate(hello, peer);
        },
      });
      const { id } = one.client;
      await one.lose();
      isRevoked = true;
      one.restore();
      const { error } = await one.client.closed;
      assert.equal(error?.code, "AUTH_REFUSED");
      assert.equal((await tryToResume(one.address, "one", id)).code, "AUTH_REFUSED");
    });

    it("is of no use to another where no principal is given: contexts are compared as data", async () => {
      const one = await world({ principal: undefined as never });
      await assertUseless(one, one.client.id);
      await one.lose();
      await assertUseless(one, one.client.id);
      assert.equal((await tryToResume(one.address, "one", one.client.id)).resumed, true);
    });

    const cycle = (agent: Agent): object => {
      const self: Record<string, unknown> = { ...agent };
      self["self"] = self;
      return self;
    };
    const hostile: readonly [string, (agent: Agent) => unknown][] = [
      [
        "throws",
        () => {
          throw new Error("no principal today");
        },
      ],
      [
        "throws what is no error",
        () => {
          // eslint-disable-next-line @typescript-eslint/only-throw-error -- a program may
          throw undefined;
        },
      ],
      ["returns undefined, as a misspelled member does", () => undefined],
      ["returns NaN", ({ user }) => Number(user)],
      ["returns a promise", ({ user }) => Promise.resolve(user)],
      ["returns what never ends", cycle],
      [
        "returns what can't be read",
        () =>
          Object.defineProperty({}, "user", {
            enumerable: true,
            get: () => {
              throw new Error("no");
            },
          }),
      ],
      [
        "returns a proxy that throws",
        () =>
          new Proxy(
            {},
            {
              getPrototypeOf: () => {
                throw new Error("no");
              },
              ownKeys: () => {
                throw new Error("no");
              },
            },
          ),
      ],
      ["returns a new function", () => () => "one"],
      ["returns another value each time", () => Math.random()],
    ];
    for (const [what, principal] of hostile) {
      it(`is of no use to anybody where principal ${what}`, async () => {
        const one = await world({ principal });
        await assertUseless(one, one.client.id);
        assert.deepEqual(await one.client.request("who"), { user: "one", rights: "all" });
        const same = await tryToResume(one.address, "one", one.client.id);
        assert.deepEqual(
          [same.code, same.resumed],
          [null, false],
          "nobody, that is, not even its own client",
        );
        await turns();
        assert.deepEqual(await one.client.request("who"), { user: "one", rights: "all" });
      });
    }
  });
}
