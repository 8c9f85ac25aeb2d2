// The files of vectors, with what each is about.

import type { Vectors } from "./build.ts";
import { conversations } from "./conversations.ts";
import { frames } from "./frames.ts";
import { states } from "./states.ts";
import { streams } from "./streams.ts";

export const files: readonly (readonly [name: string, about: string, vectors: Vectors])[] = [
  ["frames", "The stream, frames and their form, pieces", frames],
  ["conversations", "Heads, requests, and how calls fail", conversations],
  ["states", "Each frame in each state of a conversation", states],
  ["streams", "Streams and their credit", streams],
];
