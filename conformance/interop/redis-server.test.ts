// bench/src/redis-server, driven by redis-cli, redis-benchmark and clients; its framing, held to the
// law of cuts.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import { createClient } from "@redis/client";
import { resp } from "@hawser/bench/redis-server/framing";
import { decodeChunks, defineFraming, HawserError } from "@hawser/protocol";
import { verifyFraming } from "@hawser/protocol/testing";
import { Redis } from "ioredis";
import { missing, run, startProgram } from "./examples.ts";

const serve = (t: TestContext): ReturnType<typeof startProgram> =>
  startProgram(t, "bench/src/redis-server/main.ts", "--address", "tcp://127.0.0.1:0");
const latin1 = (characters: string): Buffer => Buffer.from(characters, "latin1");
const command = (...args: readonly string[]): Buffer =>
  latin1(`*${args.length}\r\n${args.map((each) => `$${each.length}\r\n${each}\r\n`).join("")}`);

/** What the server answers to bytes of our own, up to its end. */
function answer(port: number, request: Buffer | string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(request);
  return text(socket);
}

describe("bench/src/redis-server", () => {
  it("answers redis-cli", { skip: missing("redis-cli") }, async (t) => {
    const { port } = await serve(t);
    const cli = async (...args: string[]): Promise<string> =>
      (await run("redis-cli", ["-p", String(port), "--no-raw", ...args])).stdout.trimEnd();
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

  it(
    "keeps every byte of keys and values for redis-cli",
    { skip: missing("redis-cli") },
    async (t) => {
      const { port } = await serve(t);
      const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      assert.equal(
        (await run("redis-cli", ["-p", String(port), "-x", "SET", "a\r\nb"], value)).stdout.trim(),
        "OK",
      );
      const got = await answer(port, Buffer.concat([command("GET", "a\r\nb"), command("QUIT")]));
      assert.equal(Buffer.byteLength(got) > 256, true);
      const hex = (
        await run("redis-cli", ["-p", String(port), "--no-raw", "GET", "a\r\nb"])
      ).stdout.trim();
      assert.equal(hex.startsWith('"\\x00\\x01\\x02'), true);
      assert.equal(hex.endsWith('\\xfe\\xff"'), true);
    },
  );

  it("takes what redis-cli --pipe sends in bulk", { skip: missing("redis-cli") }, async (t) => {
    const { port } = await serve(t);
    const commands = Array.from({ length: 10_000 }, (_, index) =>
      command("SET", `key:${index}`, "x".repeat(index % 300)),
    );
    const { stdout } = await run(
      "redis-cli",
      ["-p", String(port), "--pipe"],
      Buffer.concat(commands),
    );
    assert.match(stdout, /errors: 0, replies: 10000/);
  });

  it(
    "lets redis-benchmark through, pipelined and with random keys",
    { skip: missing("redis-benchmark") },
    async (t) => {
      const { port } = await serve(t);
      const { code, stdout } = await run("redis-benchmark", [
        "-p",
        String(port),
        "-c",
        "50",
        "-P",
        "16",
        "-n",
        "20000",
        "-r",
        "1000",
        "-d",
        "64",
        "-t",
        "ping_inline,ping_mbulk,set,get,incr",
        "--csv",
      ]);
      assert.equal(code, 0);
      for (const test of ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"])
        assert.match(stdout, new RegExp(`"${test}","[1-9]`));
    },
  );

  it("reads inline commands, and no command at all in an empty line and an empty array", async (t) => {
    const { port } = await serve(t);
    assert.equal(
      await answer(port, "SET k v\r\n\r\nGET k\n*0\r\nexists k\r\nQUIT\r\n"),
      "+OK\r\n$1\r\nv\r\n:1\r\n+OK\r\n",
    );
  });

  it("verifies what ends an argument, where Redis does not look", async (t) => {
    const { port } = await serve(t);
    assert.equal(
      await answer(port, "PING\r\n*1\r\n$4\r\nPINGXX"),
      "+PONG\r\n-ERR Protocol error: no CR LF behind an argument\r\n",
    );
  });

  it("says why before it closes a connection, as Redis does", async (t) => {
    const { port } = await serve(t);
    for (const [request, why] of [
      ["*3000000000\r\n", "invalid multibulk length"],
      ["*\0", "invalid multibulk length"],
      ["*1\r\nfoo\r\n", "expected '$', got 'f'"],
      ["*1\r\n\r\n", "expected '$', got '?'"],
      ["*1\r\n$-10\r\n", "invalid bulk length"],
      ["*1\r\n$2000000000\r\n", "invalid bulk length"],
      ["*2\r\n$3\r\nGET\r\n$33554433\r\n", "invalid bulk length"],
      ["*1\r\n$blabla\r\n", "invalid bulk length"],
      [`${"x".repeat(70_000)}\r\n`, "too big inline request"],
      ["\0".repeat(70_000), "too big inline request"],
      ['set """key""" value\r\n', "unbalanced quotes in request"],
      ["get 'key\r\n", "unbalanced quotes in request"],
    ] as const) {
      assert.equal(
        await answer(port, `PING\r\n${request}PING\r\n`),
        `+PONG\r\n-ERR Protocol error: ${why}\r\n`,
        JSON.stringify(request.slice(0, 40)),
      );
    }
  });

  it("takes a value of 4 MB, and gives it back", async (t) => {
    const { port } = await serve(t);
    const value = "abcd".repeat(1_000_000);
    assert.equal(
      await answer(port, Buffer.concat([command("SET", "big", value), command("GET", "big")])),
      `+OK\r\n$4000000\r\n${value}\r\n`,
    );
  });

  it("counts the integers that Redis counts, to the last of 64 bits, and no other text", async (t) => {
    const { port } = await serve(t);
    const incr = (value: string, ...by: string[]): Promise<string> =>
      answer(
        port,
        Buffer.concat([
          command("SET", "n", value),
          command(...(by.length === 0 ? ["INCR", "n"] : [by[0] ?? "", "n", ...by.slice(1)])),
          command("GET", "n"),
        ]),
      );
    const counted = (value: string): string =>
      `+OK\r\n:${value}\r\n$${value.length}\r\n${value}\r\n`;
    const refused = (value: string, why: string): string =>
      `+OK\r\n-ERR ${why}\r\n$${value.length}\r\n${value}\r\n`;
    for (const [value, sum] of [
      ["0", "1"],
      ["-1", "0"],
      ["9007199254740992", "9007199254740993"],
      ["9223372036854775806", "9223372036854775807"],
      ["-9223372036854775808", "-9223372036854775807"],
    ] as const) {
      assert.equal(await incr(value), counted(sum));
    }
    for (const value of [
      "",
      " ",
      "  11",
      "11  ",
      "0x10",
      "0b1",
      "1e3",
      "1.0",
      "007",
      "+5",
      "-0",
      "-",
      "1\0",
      "1\n",
      "1_000",
      "NaN",
      "Infinity",
      "9223372036854775808",
      "-9223372036854775809",
      "1".repeat(1_000),
      "null",
    ]) {
      const bytes = Buffer.from(value).toString("latin1");
      assert.equal(
        await incr(bytes),
        refused(bytes, "value is not an integer or out of range"),
        JSON.stringify(value),
      );
      assert.equal(
        await incr("1", "INCRBY", bytes),
        refused("1", "value is not an integer or out of range"),
        JSON.stringify(value),
      );
    }
    assert.equal(
      await incr("9223372036854775807"),
      refused("9223372036854775807", "increment or decrement would overflow"),
    );
    assert.equal(
      await incr("-9223372036854775808", "DECR"),
      refused("-9223372036854775808", "increment or decrement would overflow"),
    );
    assert.equal(
      await incr("1", "INCRBY", "9223372036854775807"),
      refused("1", "increment or decrement would overflow"),
    );
    assert.equal(
      await incr("1", "DECRBY", "-9223372036854775808"),
      refused("1", "decrement would overflow"),
    );
    assert.equal(await incr("10", "DECRBY", "11"), counted("-1"));
  });

  it("reads inline words in quotes, with escapes, between any blanks", async (t) => {
    const { port } = await serve(t);
    const echo = async (line: string): Promise<string> =>
      (await answer(port, Buffer.from(`${line}\r\n`, "latin1"))).replace(/^\$\d+\r\n|\r\n$/g, "");
    assert.equal(await echo('echo "a b"'), "a b");
    assert.equal(await echo("echo 'a b'"), "a b");
    assert.equal(await echo("\t echo\t\tv \t"), "v");
    assert.equal(await echo('echo "\\x41\\n\\t\\\\\\"\\q"'), 'A\n\t\\"q');
    assert.equal(await echo("echo 'it\\'s \\n'"), "it's \\n");
    assert.equal(await echo('echo a"b c"'), "ab c");
    assert.equal(await echo('echo ""'), "");
    assert.equal(await echo("echo a\0b"), "a");
    assert.equal(await echo("\f echo a\fb\v"), "a\fb\v");
    assert.match(await echo('echo "a"b'), /unbalanced/);
    assert.match(await echo('echo "a'), /unbalanced/);
  });

  it("closes the connection of a browser that is made to speak to it, as Redis does", async (t) => {
    const { port } = await serve(t);
    for (const first of ["POST / HTTP/1.1", "GET / HTTP/1.1"])
      await answer(port, `${first}\r\nHost: x\r\n\r\nSET owned yes\r\n`).catch(() => "reset");
    assert.equal(await answer(port, "GET owned\r\n"), "$-1\r\n");
  });

  it("answers what clients ask when they connect", async (t) => {
    const { port } = await serve(t);
    const said = async (...words: string[]): Promise<string> => answer(port, command(...words));
    assert.match(await said("HELLO"), /^\*14\r\n.*proto\r\n:2\r\n.*modules\r\n\*0\r\n$/s);
    assert.match(await said("HELLO", "2"), /^\*14\r\n/);
    assert.match(await said("HELLO", "3", "SETNAME", "me"), /^%7\r\n.*proto\r\n:3\r\n/s);
    for (const version of ["4", "0", "", "03", "3.0", "x"])
      assert.equal(await said("HELLO", version), "-NOPROTO unsupported protocol version\r\n");
    assert.match(await said("HELLO", "3", "AUTH", "user", "word"), /^-ERR /);
    assert.equal(
      await answer(port, "HELLO 3\r\nGET nothing\r\nHELLO 2\r\nGET nothing\r\n").then((text) =>
        text.slice(text.indexOf("*0\r\n_") + 4).replace(/\*14.*\*0\r\n/s, ""),
      ),
      "_\r\n$-1\r\n",
    );
    assert.match(
      await said("INFO"),
      /^\$\d+\r\n# Server\r\nredis_version:\d+\.\d+\.\d+\r\n.*loading:0\r\n/s,
    );
    assert.equal(await said("CLIENT", "SETINFO", "LIB-NAME", "x"), "+OK\r\n");
    assert.equal(await said("CLIENT", "SETNAME", "x"), "+OK\r\n");
    assert.equal(await said("CLIENT", "ID"), ":1\r\n");
    assert.match(await said("CLIENT", "NONSENSE"), /^-ERR unknown subcommand/);
    assert.equal(await said("SELECT", "0"), "+OK\r\n");
    assert.match(await said("SELECT", "1"), /^-ERR DB index is out of range/);
    assert.match(await said("COMMAND", "COUNT"), /^:\d+\r\n$/);
    assert.equal(await said("QUIT", "now"), "+OK\r\n");
    assert.equal(await answer(port, "*-1\r\n*-10\r\nPING\r\n"), "+PONG\r\n");
  });

  it("serves node-redis with its defaults", async (t) => {
    const { port } = await serve(t);
    const client = createClient({ url: `redis://127.0.0.1:${port}` });
    const errors: unknown[] = [];
    client.on("error", (error) => errors.push(error));
    await client.connect();
    assert.equal(await client.set("greeting", "hello"), "OK");
    assert.equal(await client.get("greeting"), "hello");
    assert.equal(await client.get("nothing"), null);
    assert.equal(await client.incr("counter"), 1);
    assert.deepEqual(
      await Promise.all(Array.from({ length: 100 }, () => client.incr("counter"))),
      Array.from({ length: 100 }, (_, index) => index + 2),
    );
    await assert.rejects(client.incr("greeting"), /not an integer/);
    await client.close();
    assert.deepEqual(errors, []);
  });

  it("serves ioredis with its defaults", async (t) => {
    const { port } = await serve(t);
    const client = new Redis(port);
    const errors: unknown[] = [];
    client.on("error", (error) => errors.push(error));
    assert.equal(await client.set("greeting", "hello"), "OK");
    assert.equal(await client.get("greeting"), "hello");
    assert.equal(await client.get("nothing"), null);
    assert.deepEqual(
      await client.pipeline().incr("counter").incr("counter").get("greeting").exec(),
      [
        [null, 1],
        [null, 2],
        [null, "hello"],
      ],
    );
    await assert.rejects(client.incr("greeting"), /not an integer/);
    await client.quit();
    assert.deepEqual(errors, []);
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
      latin1("PING\r\n"),
      latin1("\n"),
      latin1("SET a b\n"),
      command(),
      latin1("*-1\r\n"),
      latin1("*-10\r\n"),
      command("PING"),
      command("", "", ""),
      command("SET", "a\r\n", "\0".repeat(70)),
      command("x".repeat(3_000)),
    ]);
  });

  for (const [stream, code, offset] of [
    ["*1\r\n$4\r\nPINGXX", "FRAME_MALFORMED", 12],
    ["*1\rZ$4\r\nPING\r\n", "FRAME_MALFORMED", 3],
    ["*-\r\n", "FRAME_MALFORMED", 2],
    ["*-0\r\n", "FRAME_MALFORMED", 2],
    ["*--1\r\n", "FRAME_MALFORMED", 2],
    ["*\r\n", "FRAME_MALFORMED", 1],
    ["*1\r\n$-1\r\n", "FRAME_MALFORMED", 5],
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
