// examples/syslog, driven by logger, in both ways of RFC 6587 on one port.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { syslog } from "@hawser/examples/syslog/framing";
import { decodeChunks, defineFraming, encodeFrames, lines, octetCounted } from "@hawser/protocol";
import { verifyFraming } from "@hawser/protocol/testing";
import { missing, run, start } from "./examples.ts";

const serve = (t: TestContext): ReturnType<typeof start> => start(t, "syslog", "--address", "tcp://127.0.0.1:0");
const utf8 = (text: string): Buffer => Buffer.from(text);
const skip = missing("logger");

describe("examples/syslog", () => {
  for (const [how, options] of [
    ["octet counted", ["--octet-count"]],
    ["as lines", []],
  ] as const) {
    for (const [format, flag] of [
      ["rfc5424", "--rfc5424"],
      ["rfc3164", "--rfc3164"],
    ] as const) {
      it(`reads what logger sends, ${how}, ${format}`, { skip }, async (t) => {
        const { port, line } = await serve(t);
        const { code, stderr } = await run("logger", ["--tcp", "--server", "127.0.0.1", "--port", String(port), ...options, flag, "--priority", "local0.warning", "--tag", "hawser", "grüße: 1 < 2"]);
        assert.equal(code, 0, stderr);
        assert.match(await line(/hawser/), new RegExp(`^${format} facility=16 severity=warning host=\\S+ tag=hawser grüße: 1 < 2$`));
      });
    }
  }

  it("reads many messages of logger on one connection, each way, one beside the other", { skip }, async (t) => {
    const { port, line, lines: printed } = await serve(t);
    const input = Array.from({ length: 500 }, (_, index) => `message ${index} of many`).join("\n");
    const to = ["--tcp", "--server", "127.0.0.1", "--port", String(port)];
    await Promise.all([run("logger", [...to, "--octet-count", "--tag", "counted"], input), run("logger", [...to, "--tag", "line"], input)]);
    for (const tag of ["counted", "line"]) {
      await line(new RegExp(`tag=${tag} message 499 `));
      assert.equal(printed.filter((each) => each.includes(`tag=${tag} message`)).length, 500);
    }
  });

  it("keeps the law of cuts, whichever way the first byte chooses", () => {
    verifyFraming(defineFraming({ name: "syslog counted", decoder: (limits) => syslog.decoder(limits), encoder: (limits) => octetCounted().encoder(limits) }), ["<34>1 hello", "a", "\n", "12 <1>", "x".repeat(300)].map(utf8));
    const streams = ["<34>a\n<34>b\r\n", "12 <34>1 hello!", "<1>a\n12 b\n", "0 a", "\n"].map(utf8);
    for (const stream of streams) {
      const whole = decodeChunks(syslog, [stream]);
      assert.deepEqual(decodeChunks(syslog, Array.from(stream, (byte) => Uint8Array.of(byte))), whole);
    }
    assert.equal(decodeChunks(syslog, [encodeFrames(lines(), [utf8("<34>a"), utf8("9 b")])]).frames.length, 2);
  });
});
