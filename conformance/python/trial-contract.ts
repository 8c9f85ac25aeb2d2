// The contract of the trials between TypeScript and Python, and what a server of it does.

import { defineProtocol, type } from "@hawser/protocol";
import type { Random } from "@hawser/protocol/testing";
import { createServer, type SessionServer, type SessionServerOptions } from "@hawser/server";

/** The `n`-th event of a lane, with some bytes that do not matter. */
export interface Note {
  readonly key: string;
  readonly n: number;
  readonly fill?: string;
}

const note = type<Note>();
const lane = ({ key }: Note): string => key;

export const trial = defineProtocol({
  name: "trial",
  version: 1,
  requests: {
    add: { input: type<{ a: number; b: number }>(), output: type<number>() },
    echo: { input: type<unknown>(), output: type<unknown>() },
  },
  streams: {
    count: { input: type<{ to: number }>(), item: type<number>() },
    mirror: { send: type<number>(), item: type<number>() },
    sum: { send: type<number>(), item: type<number>() },
  },
  events: {
    bad: { payload: note, delivery: "at-least-once" },
    keyed: { payload: note, delivery: "at-least-once", lane },
    note: { payload: note, delivery: "at-least-once" },
    typing: { payload: type<string>() },
    heard: { payload: note, delivery: "at-least-once", lane, from: "server" },
  },
});

/** Windows that are small, so that credit is always in play. */
export const narrow = {
  maxMessageBytes: 200_000,
  maxPartials: 2,
  windowBytes: 700,
  eventWindowBytes: 1_500,
  laneWindowBytes: 400,
  connectionWindowBytes: 1_000,
} as const;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A server of the contract: what it has handled it says with `heard`, in the same lane. */
export function trialServer(
  random: Random,
  options: SessionServerOptions<typeof trial> = {},
  handled: (note: Note, eventId: string | null) => void = () => undefined,
): SessionServer<typeof trial> {
  const told = async (
    { key, n }: Note,
    { socket, eventId }: { socket: Emitting; eventId: string | null },
  ): Promise<void> => {
    if (key === "slow") await pause(20);
    else if (random.below(10) === 0) await pause(random.below(4));
    handled({ key, n }, eventId);
    socket.emit("heard", { key, n }).catch(() => undefined); // the trial counts what is heard
  };
  return createServer(
    trial,
    {
      add: ({ a, b }) => a + b,
      echo: (value) => value,
      async *count({ to }) {
        for (let n = 1; n <= to; n++) yield await Promise.resolve(n);
      },
      async *mirror(_, { items }) {
        yield* items;
      },
      async *sum(_, { items }) {
        let sum = 0;
        for await (const item of items) sum += item;
        yield sum;
      },
      bad: () => {
        throw new Error("it is bad");
      },
      keyed: told,
      note: told,
      typing: () => undefined,
    },
    {
      ...narrow,
      heartbeatMs: 1_000,
      heartbeatTimeoutMs: 1_000,
      error: () => undefined,
      ...options,
    },
  );
}

interface Emitting {
  emit(name: "heard", payload: Note): Promise<unknown>;
}
