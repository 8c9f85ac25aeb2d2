// examples/syslog, driven by logger, in both ways of RFC 6587 on one port.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { syslog } from "@hawser/examples/syslog/framing";
import { decodeChunks, defineFraming, encodeFrames, lines, octetCounted } from "@hawser/protocol";
import { verifyFraming } from "@hawser/protocol/testing";
import { missing, run, start } from "./examples.ts";

const serve = (t: TestContext): ReturnType<typeof start> =>
  start(t, "syslog", "--address", "tcp://127.0.0.1:0");
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
        const { code, stderr } = await run("logger", [
          "--tcp",
          "--server",
          "127.0.0.1",
          "--port",
          String(port),
          ...options,
          flag,
          "--priority",
          "local0.warning",
          "--tag",
          "hawser",
          "grüße: 1 < 2",
        ]);
        assert.equal(code, 0, stderr);
        assert.match(
          await line(/hawser/),
          new RegExp(`^${format} facility=16 severity=warning host=\\S+ tag=hawser grüße: 1 < 2$`),
        );
      });
    }
  }

  it(
    "reads many messages of logger on one connection, each way, one beside the other",
    { skip },
    async (t) => {
      const { port, line, lines: printed } = await serve(t);
      const input = Array.from({ length: 500 }, (_, index) => `message ${index} of many`).join(
        "\n",
      );
      const to = ["--tcp", "--server", "127.0.0.1", "--port", String(port)];
      await Promise.all([
        run("logger", [...to, "--octet-count", "--tag", "counted"], input),
        run("logger", [...to, "--tag", "line"], input),
      ]);
      for (const tag of ["counted", "line"]) {
        await line(new RegExp(`tag=${tag} message 499 `));
        assert.equal(printed.filter((each) => each.includes(`tag=${tag} message`)).length, 500);
      }
    },
  );

  /** What is printed of what one connection sends. */
  const printed = async (
    t: TestContext,
    sent: Buffer | string,
    complains = /^/,
  ): Promise<string[]> => {
    const { port, lines, line, errors } = await serve(t);
    const socket = connect(port, "127.0.0.1");
    socket.end(sent);
    await once(socket.resume(), "close");
    const last = connect(port, "127.0.0.1"); // what it sends is printed behind that
    last.end("<0>the end\n");
    await line(/the end$/);
    // another pipe
    while (!complains.test(errors())) await new Promise((resolve) => setImmediate(resolve));
    return [
      ...lines.slice(
        0,
        lines.findIndex((each) => each.endsWith("the end")),
      ),
      ...errors()
        .split("\n")
        .filter((each) => each !== ""),
    ];
  };

  it("reads rsyslog's forward format", async (t) => {
    assert.deepEqual(
      await printed(
        t,
        "<34>2026-12-01T03:11:50.728454+00:00 vm su: critical\n<165>2026-12-01T03:11:50Z vm " +
          "app[12]: x\n",
      ),
      [
        "rfc3164 facility=4 severity=crit host=vm tag=su critical",
        "rfc3164 facility=20 severity=notice host=vm tag=app x",
      ],
    );
  });

  it("counts a priority whose header can't be read, and one that is none as user.notice", async (t) => {
    assert.deepEqual(
      await printed(t, "<34>whatever\n<0>\n<191>x\n<192>x\n<034>x\n<>x\n<-1>x\n<1e1>x\n< 1>x\nx\n"),
      [
        "unknown facility=4 severity=crit host=- tag=- whatever",
        "unknown facility=0 severity=emerg host=- tag=- ",
        "unknown facility=23 severity=debug host=- tag=- x",
        ...["<192>x", "<034>x", "<>x", "<-1>x", "<1e1>x", "< 1>x", "x"].map(
          (text) => `unknown facility=1 severity=notice host=- tag=- ${text}`,
        ),
      ],
    );
  });

  it("takes NUL for the end of a line, and the stream's end for that of the last", async (t) => {
    assert.deepEqual(
      await printed(t, "<34>a\0<34>b\n\0<34>c\r\n<34>d"),
      ["a", "b", "c", "d"].map((text) => `unknown facility=4 severity=crit host=- tag=- ${text}`),
    );
  });

  it("says so where a stream of lines holds counted messages, and the other way round", async (t) => {
    const both = await printed(t, "<34>a\n11 <34>1 hello\n", /counted/);
    assert.match(both.at(-1) ?? "", /sends lines, and this one begins as a counted message does$/);
    const counted = await printed(t, "5 <34>a<34>b\n", /decimal/);
    assert.match(counted[0] ?? "", /^unknown facility=4 severity=crit host=- tag=- a$/);
    assert.match(counted.at(-1) ?? "", /The length is not a decimal/);
  });

  it("keeps the law of cuts, whichever way the first byte chooses", () => {
    verifyFraming(
      defineFraming({
        name: "syslog counted",
        unterminated: "deliver",
        decoder: (limits) => syslog.decoder(limits),
        encoder: (limits) => octetCounted().encoder(limits),
      }),
      ["<34>1 hello", "a", "\n", "12 <1>", "x".repeat(300)].map(utf8),
    );
    const streams = [
      "<34>a\n<34>b\r\n",
      "<34>a\0\0<34>b",
      "a\r\0b\r",
      "12 <34>1 hello!",
      "<1>a\n12 b\n",
      "0 a",
      "\n",
    ].map(utf8);
    for (const stream of streams) {
      const whole = decodeChunks(syslog, [stream]);
      assert.deepEqual(
        decodeChunks(
          syslog,
          Array.from(stream, (byte) => Uint8Array.of(byte)),
        ),
        whole,
      );
    }
    assert.equal(
      decodeChunks(syslog, [encodeFrames(lines(), [utf8("<34>a"), utf8("9 b")])]).frames.length,
      2,
    );
  });
});
