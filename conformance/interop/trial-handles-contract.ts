// The contract of trial-handles.ts, for the program and for whoever speaks to it by hand.

import { defineProtocol, type } from "@hawser/protocol";

export const ends = defineProtocol({
  name: "ends",
  version: 1,
  requests: { say: { input: type<unknown>(), output: type<unknown>() }, wait: {} },
  streams: {
    hoard: { send: type<unknown>() },
    mirror: { send: type<unknown>(), item: type<unknown>() },
    pour: { item: type<string>() },
  },
  events: { note: { payload: type<unknown>(), delivery: "at-least-once" } },
});
