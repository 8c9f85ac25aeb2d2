// examples/resp, driven by redis-cli and redis-benchmark; its framing, held to the law of cuts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import { resp } from "@hawser/examples/resp/framing";
import { decodeChunks, defineFraming, HawserError } from "@hawser/protocol";
import { verifyFraming } from "@hawser/protocol/testing";
import { missing, run, start } from "./examples.ts";

const serve = (t: TestContext): ReturnType<typeof start> =>
  start(t, "resp", "--address", "tcp://127.0.0.1:0");
const latin1 = (characters: string): Buffer => Buffer.from(characters, "latin1");
const command = (...args: readonly string[]): Buffer =>
  latin1(`*${args.length}\r\n${args.map((each) => `$${each.length}\r\n${each}\r\n`).join("")}`);

/** The reply to bytes of our own, up to the end of the connection. */
function answer(port: number, ...requests: readonly Buffer[]): Promise<string> {
  const socket = connect(port, "127.0.0.1").setEncoding("latin1");
  socket.end(Buffer.concat(requests));
  return text(socket);
}

describe("examples/resp", () => {
  it("has fewer than 150 lines", () => {
    const lines = ["framing", "main"].flatMap((name) =>
      readFileSync(new URL(`../../examples/resp/${name}.ts`, import.meta.url), "utf8")
        .trimEnd()
        .split("\n"),
    );
    assert(lines.length < 150, `${lines.length} lines`);
  });

  it("answers redis-cli", { skip: missing("redis-cli") }, async (t) => {
    const { port } = await serve(t);
    const cli = async (...args: string[]): Promise<string> =>
      (await run("redis-cli", ["-p", String(port), "--no-raw", ...args])).stdout.trimEnd();
    for (const [expected, ...args] of [
      ["PONG", "PING"],
      ['"hello"', "ping", "hello"],
      ['"two words"', "ECHO", "two words"],
      ["OK", "SET", "key", "value"],
      ['"value"', "GET", "key"],
      ['""', "ECHO", ""],
      ["(nil)", "GET", "nothing"],
      ["(integer) 1", "INCR", "counter"],
      ["(integer) 2", "INCR", "counter"],
      ["(error) ERR value is not an integer or out of range", "INCR", "key"],
      ["(integer) 2", "EXISTS", "key", "counter", "nothing"],
      ["(integer) 1", "DEL", "key", "nothing"],
      ["(integer) 0", "EXISTS", "key"],
      ["(error) ERR unknown command", "NONSENSE"],
      ["(error) ERR unknown command", "constructor"],
      ["(error) ERR wrong number of arguments", "GET"],
      ["(error) ERR wrong number of arguments", "SET", "key", "value", "NX"],
    ] as const)
      assert.equal(await cli(...args), expected, args.join(" "));
  });

  it("lets redis-benchmark through", { skip: missing("redis-benchmark") }, async (t) => {
    const { port } = await serve(t);
    const load = ["-c", "50", "-P", "16", "-n", "20000", "-r", "1000", "-d", "64"];
    const { code, stdout } = await run("redis-benchmark", [
      ...["-p", String(port), ...load],
      ...["-t", "ping_mbulk,set,get,incr", "--csv"],
    ]);
    assert.equal(code, 0);
    for (const test of ["PING_MBULK", "SET", "GET", "INCR"])
      assert.match(stdout, new RegExp(`"${test}","[1-9]`));
  });

  it("keeps every byte of keys and values", async (t) => {
    const { port } = await serve(t);
    const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
    assert.equal(
      await answer(port, command("SET", `\r\n${bytes}`, bytes), command("GET", `\r\n${bytes}`)),
      `+OK\r\n$256\r\n${bytes}\r\n`,
    );
  });

  it("counts up to 2^53 - 1, and no text but the integers that it writes", async (t) => {
    const { port } = await serve(t);
    const increment = async (value: string): Promise<string> =>
      (await answer(port, command("SET", "n", value), command("INCR", "n"))).slice(
        "+OK\r\n".length,
      );
    for (const [value, sum] of [
      ["-1", "0"],
      ["-9007199254740991", "-9007199254740990"],
      ["9007199254740990", "9007199254740991"],
    ] as const)
      assert.equal(await increment(value), `:${sum}\r\n`);
    for (const value of ["", " 1", "0x10", "1e3", "1.5", "007", "+5", "-0", "9007199254740991"])
      assert.match(await increment(value), /^-ERR value is not an integer/, value);
  });

  it("says why before it closes a connection", async (t) => {
    const { port } = await serve(t);
    for (const [request, why] of [
      ["*1\r\nfoo\r\n", /expected \* or \$, a number, and CR LF/],
      ["GET / HTTP/1.1\r\n", /expected \* or \$, a number, and CR LF/],
      ["*1\r\n$4\r\nPINGXX", /expected CR LF behind an argument/],
      ["*1\r\n$2000000\r\n", /2000016 bytes, maxFrameBytes is/],
    ] as const) {
      const reply = await answer(port, command("PING"), latin1(request), command("PING"));
      assert.match(reply, /^\+PONG\r\n-ERR [^\r\n]*\r\n$/);
      assert.match(reply, why);
    }
  });

  it("keeps the law of cuts", () => {
    const requests = defineFraming({
      name: "resp",
      decoder: (limits) => resp.decoder(limits),
      encoder: () => ({
        headerBytes: 0,
        seal(output, from) {
          const { frames, fault } = decodeChunks(resp, [output.copy(from)]);
          if (fault !== null || frames.length !== 1)
            throw new HawserError("PAYLOAD_FORBIDDEN", "This is not one command");
        },
      }),
    });
    verifyFraming(requests, [
      command(""),
      command("PING"),
      command("", "", ""),
      command("SET", "a\r\n", "\0".repeat(70)),
      command("x".repeat(3_000)),
    ]);
  });

  for (const [stream, code, offset] of [
    ["*1\r\n$4\r\nPINGXX", "FRAME_MALFORMED", 12],
    ["*0\r\n", "FRAME_MALFORMED", 0],
    ["*-1\r\n", "FRAME_MALFORMED", 0],
    ["*01\r\n", "FRAME_MALFORMED", 0],
    ["*1\rZ$4\r\n", "FRAME_MALFORMED", 0],
    ["$1\r\nx\r\n", "FRAME_MALFORMED", 0],
    ["*1234567890123", "FRAME_MALFORMED", 0],
    ["*1\r\n*1\r\n", "FRAME_MALFORMED", 4],
    ["*1\r\n$-1\r\n", "FRAME_MALFORMED", 4],
    ["*2\r\n$999999999\r\n", "FRAME_TOO_LARGE", 4],
    ["*1\r\n$4\r\nPIN", "FRAME_TRUNCATED", 11],
  ] as const) {
    it(`finds ${JSON.stringify(stream)} to be ${code} at byte ${offset}`, () => {
      const { frames, fault } = decodeChunks(resp, [latin1(stream)]);
      assert.deepEqual([frames.length, fault?.code, fault?.offset], [0, code, offset]);
    });
  }
});
