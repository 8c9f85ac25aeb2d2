// The files of vectors, with what each is about.

import type { Vectors } from "./build.ts";
import { frames } from "./frames.ts";

export const files: readonly (readonly [name: string, about: string, vectors: Vectors])[] = [
  ["frames", "The stream, frames and their form, pieces", frames],
];
