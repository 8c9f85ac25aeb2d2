/**
 * The contract of `fairness.ts`.
 */
import { defineProtocol, type Protocol, type } from "@hawser/protocol";
import * as z from "zod";

export const contract: Protocol = defineProtocol({
  name: "fair",
  version: 1,
  requests: {
    add: { input: z.object({ a: z.number(), b: z.number() }), output: type<number>() },
    broken: { input: type<number>(), output: type<number>() },
    later: { input: type<number>(), output: type<number>() },
  },
  events: { note: { payload: type<number>() } },
});

/** The HELLO of a client of it, as PROTOCOL.md has it. */
export function hello(): string {
  const messages = contract.messages.map(({ name, type: kind, codec, digest }) => [
    name,
    kind,
    codec.name,
    digest,
  ]);
  const limits = {
    maxMessageBytes: 1_048_576,
    maxPartials: 8,
    maxConversations: 1_024,
    windowBytes: 262_144,
    eventWindowBytes: 262_144,
  };
  return JSON.stringify({
    hawser: [1, 1],
    protocol: contract.name,
    version: 1,
    accepts: [1, 1],
    messages,
    limits,
  });
}
