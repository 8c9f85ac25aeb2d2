// An event that was rejected is settled: no new session sends it again, whatever became of the ACK
// behind its REJECT (PROTOCOL.md §8).
import { expect, test } from "vitest";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { HawserError } from "../../src/errors.ts";
import { framesOf, frame, joined, KIND, linesOf, SIGNATURE, welcome } from "./by-hand.ts";
import { readyPair } from "./ends.ts";

/**
 * A client whose events 1 and 2 came, 1 was rejected, and the connection was lost behind the
 * REJECT.
 */
function rejectedClient(): ReturnType<typeof readyPair> {
  const pair = readyPair();
  pair.server.onEvent = (_entry, payload, handled) => {
    if (payload === 1) handled(new HawserError("HANDLER_FAILED", ""));
  };
  for (const payload of [1, 2]) pair.client.emit("note", payload);
  pair.server.session.receive(pair.client.take(), 0);
  const answer = pair.server.take();
  expect(linesOf(answer).map((line) => line.split(" ")[0])).toEqual(["REJECT", "ACK"]);
  const [reject] = framesOf(answer);
  pair.client.session.receive(answer.subarray(0, 9 + (reject?.payload.length ?? 0)), 0);
  pair.cut();
  expect(pair.client.told()).toEqual([]);
  pair.client.output = new ByteWriter();
  pair.client.session.attach(pair.client.output, 0);
  pair.client.take();
  return pair;
}

test(
  "an event that was rejected is settled, and not sent again, when a new session begins before " +
    "its ACK has come",
  () => {
    const { client } = rejectedClient();
    client.session.receive(
      joined(SIGNATURE, frame(KIND.WELCOME, 0, welcome({ session: "f".repeat(32) }))),
      0,
    );
    expect(linesOf(client.take())).toEqual([
      "EVENT 0 0000140000000000000001101112131415161718191a1b1c1d1e1f000000000000000232",
    ]); // event 2, as number 1, with what it was before
    expect(client.told()).toEqual(["note 1 delivered REMOTE_HANDLER_FAILED", "ready repeated 1"]);
    client.session.receive(frame(KIND.ACK, 0, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1)), 0);
    expect(client.told()).toEqual(["note 2 delivered"]);
  },
);

test("an event that was rejected is told so when the session ends before its ACK has come", () => {
  const { client } = rejectedClient();
  client.session.close();
  expect(client.told()).toEqual([
    "note 1 delivered REMOTE_HANDLER_FAILED",
    "note 2 unknown SESSION_CLOSED",
    "over null",
  ]);
});
