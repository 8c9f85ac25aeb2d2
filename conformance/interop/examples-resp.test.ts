// examples/resp, driven by redis-cli and redis-benchmark; its framing, held to the law of cuts.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import { resp } from "@hawser/examples/resp/framing";
import { decodeChunks, defineFraming, HawserError } from "@hawser/protocol";
import { verifyFraming } from "@hawser/protocol/testing";
import { missing, run, start } from "./examples.ts";

const serve = (t: TestContext): ReturnType<typeof start> => start(t, "resp", "--address", "tcp://127.0.0.1:0");
const latin1 = (characters: string): Buffer => Buffer.from(characters, "latin1");
const command = (...args: readonly string[]): Buffer => latin1(`*${args.length}\r\n${args.map((each) => `$${each.length}\r\n${each}\r\n`).join("")}`);

/** What the server answers to bytes of our own, up to its end. */
function answer(port: number, request: Buffer | string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(request);
  return text(socket);
}

describe("examples/resp", () => {
  it("answers redis-cli", { skip: missing("redis-cli") }, async (t) => {
    const { port } = await serve(t);
    const cli = async (...args: string[]): Promise<string> => (await run("redis-cli", ["-p", String(port), "--no-raw", ...args])).stdout.trimEnd();
    assert.equal(await cli("PING"), "PONG");
    assert.equal(await cli("ping", "hello"), '"hello"');
    assert.equal(await cli("ECHO", "two words"), '"two words"');
    assert.equal(await cli("SET", "key", "value"), "OK");
    assert.equal(await cli("GET", "key"), '"value"');
    assert.equal(await cli("GET", "nothing"), "(nil)");
    assert.equal(await cli("INCR", "counter"), "(integer) 1");
    assert.equal(await cli("INCR", "counter"), "(integer) 2");
    assert.equal(await cli("INCR", "key"), "(error) ERR value is not an integer or out of range");
    assert.equal(await cli("EXISTS", "key", "counter", "nothing"), "(integer) 2");
    assert.equal(await cli("DEL", "key", "nothing"), "(integer) 1");
    assert.equal(await cli("EXISTS", "key"), "(integer) 0");
    assert.match(await cli("COMMAND"), /"ping"/);
    assert.equal(await cli("CONFIG", "GET", "save"), '1) "save"\n2) ""');
    assert.match(await cli("NONSENSE"), /^\(error\) ERR unknown command "nonsense"/);
    assert.match(await cli("GET"), /^\(error\) ERR wrong number of arguments for 'get' command/);
  });

  it("keeps every byte of keys and values for redis-cli", { skip: missing("redis-cli") }, async (t) => {
    const { port } = await serve(t);
    const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    assert.equal((await run("redis-cli", ["-p", String(port), "-x", "SET", "a\r\nb"], value)).stdout.trim(), "OK");
    const got = await answer(port, Buffer.concat([command("GET", "a\r\nb"), command("QUIT")]));
    assert.equal(Buffer.byteLength(got) > 256, true);
    const hex = (await run("redis-cli", ["-p", String(port), "--no-raw", "GET", "a\r\nb"])).stdout.trim();
    assert.equal(hex.startsWith('"\\x00\\x01\\x02'), true);
    assert.equal(hex.endsWith('\\xfe\\xff"'), true);
  });

  it("takes what redis-cli --pipe sends in bulk", { skip: missing("redis-cli") }, async (t) => {
    const { port } = await serve(t);
    const commands = Array.from({ length: 10_000 }, (_, index) => command("SET", `key:${index}`, "x".repeat(index % 300)));
    const { stdout } = await run("redis-cli", ["-p", String(port), "--pipe"], Buffer.concat(commands));
    assert.match(stdout, /errors: 0, replies: 10000/);
  });

  it("lets redis-benchmark through, pipelined and with random keys", { skip: missing("redis-benchmark") }, async (t) => {
    const { port } = await serve(t);
    const { code, stdout } = await run("redis-benchmark", ["-p", String(port), "-c", "50", "-P", "16", "-n", "20000", "-r", "1000", "-d", "64", "-t", "ping_inline,ping_mbulk,set,get,incr", "--csv"]);
    assert.equal(code, 0);
    for (const test of ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"]) assert.match(stdout, new RegExp(`"${test}","[1-9]`));
  });

  it("reads inline commands, and no command at all in an empty line and an empty array", async (t) => {
    const { port } = await serve(t);
    assert.equal(await answer(port, "SET k v\r\n\r\nGET k\n*0\r\nexists k\r\nQUIT\r\n"), "+OK\r\n$1\r\nv\r\n:1\r\n+OK\r\n");
  });

  it("verifies what ends an argument, where Redis does not look", async (t) => {
    const { port } = await serve(t);
    assert.equal(await answer(port, "PING\r\n*1\r\n$4\r\nPINGXX"), "+PONG\r\n");
  });

  it("keeps the law of cuts", () => {
    const requests = defineFraming({
      name: "resp",
      decoder: (limits) => resp.decoder(limits),
      encoder: () => ({
        headerBytes: 0,
        seal(output, from) {
          const { frames, fault } = decodeChunks(resp, [output.copy(from)]);
          if (fault !== null || frames.length !== 1) throw new HawserError("PAYLOAD_FORBIDDEN", "This is not one command");
        },
      }),
    });
    verifyFraming(requests, [latin1("PING\r\n"), latin1("\n"), latin1("SET a b\n"), command(), command("PING"), command("", "", ""), command("SET", "a\r\n", "\0".repeat(70)), command("x".repeat(3_000))]);
  });

  for (const [stream, code, offset] of [
    ["*1\r\n$4\r\nPINGXX", "FRAME_MALFORMED", 12],
    ["*1\rZ$4\r\nPING\r\n", "FRAME_MALFORMED", 3],
    ["*-1\r\n", "FRAME_MALFORMED", 1],
    ["*01\r\n", "FRAME_MALFORMED", 2],
    ["*+1\r\n", "FRAME_MALFORMED", 1],
    ["* 1\r\n", "FRAME_MALFORMED", 1],
    ["*1\r\n:4\r\n", "FRAME_MALFORMED", 4],
    ["*1\r\n$0x4\r\n", "FRAME_MALFORMED", 6],
    ["*1\r\n$\r\n", "FRAME_MALFORMED", 5],
    ["*1000000000\r\n", "FRAME_MALFORMED", 10],
    ["*999999999\r\n", "FRAME_TOO_LARGE", 1],
    ["*2\r\n$999999999\r\n", "FRAME_TOO_LARGE", 5],
    ["*1\r\n$4\r\nPIN", "FRAME_TRUNCATED", 11],
  ] as const) {
    it(`finds ${JSON.stringify(stream)} to be ${code} at byte ${offset}`, () => {
      const { frames, fault } = decodeChunks(resp, [latin1(stream)]);
      assert.deepEqual([frames.length, fault?.code, fault?.offset], [0, code, offset]);
    });
  }
});
