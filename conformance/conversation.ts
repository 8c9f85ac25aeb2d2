// The wires that most tests speak, and the two things that they wait for. No timers: a turn is a
// turn of the event loop.

import type { Socket } from "@hawser/client";
import { bytes, lines, raw, text, wire } from "@hawser/protocol";
import type { ServerSocket } from "@hawser/server";

/** Lines of text until the line `exit`. */
export const chat = wire({ framing: lines(), codec: text(), sentinel: "exit" });

/** Lines of text until the end of the stream. */
export const plainLines = wire({ framing: lines(), codec: text() });

/** Text until ` exit`, cut anywhere. */
export const classic = wire({ framing: raw(), codec: text(), sentinel: { suffix: " exit" } });

/** Bytes as they come: the independent writer and reader. */
export const rawBytes = wire({ framing: raw(), codec: bytes() });

/** Text as it comes. */
export const rawText = wire({ framing: raw(), codec: text() });

/** A handler that answers with what came. */
export function echo<T>(message: T, socket: Pick<ServerSocket<T>, "send">): void {
  socket.send(message);
}

/** Everything up to the end; an error of the loop goes on. */
export async function collect<T>(socket: Socket<T, never>): Promise<T[]> {
  const messages: T[] = [];
  for await (const message of socket) messages.push(message);
  return messages;
}

/** The next message, or undefined at the end. */
export async function next<T>(socket: Socket<T, never>): Promise<T | undefined> {
  const { value } = await socket[Symbol.asyncIterator]().next();
  return value;
}

/** Let the event loop turn, input and output included. */
export async function turns(count = 1): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * Turn the event loop until something is so; the test runner's own limit ends it when it never is.
 */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turns();
}
