// The files of vectors, with what each is about.

import type { Vectors } from "./build.ts";
import { conversations } from "./conversations.ts";
import { events } from "./events.ts";
import { frames } from "./frames.ts";
import { handshake } from "./handshake.ts";
import { life } from "./life.ts";
import { resumption } from "./resumption.ts";
import { states } from "./states.ts";
import { streams } from "./streams.ts";

export const files: readonly (readonly [name: string, about: string, vectors: Vectors])[] = [
  ["frames", "The stream, frames and their form, pieces", frames],
  ["conversations", "Heads, requests, and how calls fail", conversations],
  ["states", "Each frame in each state of a conversation", states],
  ["events", "Events, their credit, numbers and lanes", events],
  ["handshake", "Signatures, greetings, and who is refused", handshake],
  ["resumption", "Sessions over one connection after another", resumption],
  ["life", "PING, DRAIN, CLOSE, and the end of the stream", life],
  ["streams", "Streams and their credit", streams],
];
