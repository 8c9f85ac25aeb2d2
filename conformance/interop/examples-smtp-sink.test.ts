// examples/smtp-sink, driven by swaks and by Python's smtplib; its framing, held to the law of
// cuts.

import assert from "node:assert/strict";
import { connect } from "node:net";
import process from "node:process";
import { text } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import { smtp } from "@hawser/examples/smtp-sink/framing";
import { decodeChunks } from "@hawser/protocol";
import { verifyFraming } from "@hawser/protocol/testing";
import { missing, run, start } from "./examples.ts";

const serve = (t: TestContext, ...more: string[]): ReturnType<typeof start> =>
  start(t, "smtp-sink", "--address", "tcp://127.0.0.1:0", ...more);
const latin1 = (characters: string): Buffer => Buffer.from(characters, "latin1");
const session = (port: number, said: string): Promise<string> => {
  const socket = connect(port, "127.0.0.1");
  socket.end(latin1(said));
  return text(socket);
};
const codes = (replies: string): string =>
  [...replies.matchAll(/^(\d{3}) /gm)].map(([, code]) => code).join(" ");

describe("examples/smtp-sink", () => {
  it("takes a message from swaks, dots and all", { skip: missing("swaks") }, async (t) => {
    const { port, line } = await serve(t);
    const { code, stdout } = await run("swaks", [
      "--server",
      `127.0.0.1:${port}`,
      "--from",
      "a@example.org",
      "--to",
      "b@example.org,c@example.org",
      "--header",
      "Subject: dots",
      "--body",
      ".\\n..two\\n.end",
    ]);
    assert.equal(code, 0, stdout);
    assert.match(
      await line(/^message /),
      /from=<a@example\.org> to=<b@example\.org>,<c@example\.org> bytes=\d+ subject="dots"$/,
    );
  });

  it("takes a pipelined message from swaks", { skip: missing("swaks") }, async (t) => {
    const { port, line } = await serve(t);
    const { code, stdout } = await run("swaks", [
      "--server",
      `127.0.0.1:${port}`,
      "--pipeline",
      "--from",
      "a@example.org",
      "--to",
      "b@example.org",
    ]);
    assert.equal(code, 0, stdout);
    assert.match(await line(/^message /), /subject="test /);
  });

  it("refuses swaks a message above SIZE, and goes on", { skip: missing("swaks") }, async (t) => {
    const { port, line } = await serve(t, "--size", "5000");
    const big = await run("swaks", [
      "--server",
      `127.0.0.1:${port}`,
      "--from",
      "a@example.org",
      "--to",
      "b@example.org",
      "--body",
      "x\\n".repeat(5_000),
    ]);
    assert.notEqual(big.code, 0);
    assert.match(big.stdout, /<\*\* 552 /);
    assert.equal(
      (
        await run("swaks", [
          "--server",
          `127.0.0.1:${port}`,
          "--from",
          "a@example.org",
          "--to",
          "b@example.org",
        ])
      ).code,
      0,
    );
    await line(/^message /);
  });

  it(
    "takes messages from Python's smtplib, one of them with bytes that are no UTF-8",
    { skip: missing("python3") },
    async (t) => {
      const { port, line } = await serve(t);
      const script = [
        "import smtplib, sys",
        "with smtplib.SMTP('127.0.0.1', int(sys.argv[1])) as s:",
        "    s.sendmail('a@example.org', ['b@example.org'], b'Subject: " +
          "one\\r\\n\\r\\n.\\r\\nb\\xff\\r\\n', ['BODY=8BITMIME'])",
        "    s.rset(); s.noop()",
        "    s.sendmail('a@example.org', ['b@example.org'], b'Subject: " +
          "two\\r\\n\\r\\nhello\\r\\n')",
      ].join("\n");
      const { code, stderr } = await run("python3", ["-c", script, String(port)]);
      assert.equal(code, 0, stderr);
      assert.match(await line(/subject="one"/), /bytes=23 /);
      await line(/subject="two"/);
    },
  );

  it("answers a whole pipeline in order, and refuses a message without recipients behind its end", async (t) => {
    const { port, lines } = await serve(t);
    const replies = await session(
      port,
      "EHLO x\r\nMAIL FROM:<a@x>\r\nDATA\r\nlost\r\n.\r\nNOOP\r\nRCPT " +
        "TO:<b@x>\r\nNONSENSE\r\nQUIT\r\n",
    );
    assert.equal(codes(replies), "220 250 250 354 503 250 503 500 221");
    assert.deepEqual(lines, []);
  });

  it("prints no character of a peer that steers a terminal", async (t) => {
    const { port, line } = await serve(t);
    const said =
      "HELO x\r\nMAIL FROM:<\x1b]0;owned\x07\x9b2J@x>\r\nRCPT " +
      "TO:<\x1b[2J@x>\r\nDATA\r\nSubject: \xc2\x9b2J \xe2\x80\xae\r\n\r\n.\r\nQUIT\r\n";
    assert.match(codes(await session(port, said)), /250 221$/);
    const printed = await line(/^message /);
    assert.match(
      printed,
      /from=<\\u\{1b\}\]0;owned\\u\{7\}.*to=<\\u\{1b\}\[2J@x>.*subject="\\u\{9b\}2J \\u\{202e\}"/,
    );
    assert.doesNotMatch(printed, /[\p{Cc}\p{Cf}]/u);
  });

  it("does not take LF.LF for the end of a message (SMTP smuggling)", async (t) => {
    const { port, lines } = await serve(t);
    const replies = await session(
      port,
      "HELO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nhello\n.\nMAIL " +
        "FROM:<evil@x>\r\n.\r\nQUIT\r\n",
    );
    assert.equal(codes(replies), "220 250 250 250 354 521");
    assert.deepEqual(lines, []);
  });

  it("says why before it closes a connection with a bare LF or CR", async (t) => {
    const { port } = await serve(t);
    for (const said of ["EHLO x\nMAIL FROM:<a@x>\n", "NOOP\rNOOP\r\n"])
      assert.match(await session(port, said), /^220 .*\r\n521 Lines end with CR LF\r\n$/);
  });

  it("answers nothing behind QUIT, and no handler fails there", async (t) => {
    const { port, stop, errors } = await serve(t);
    assert.equal(codes(await session(port, "QUIT\r\nNOOP\r\nDATA\r\nx\r\n.\r\n")), "220 221");
    assert.deepEqual([await stop(), errors()], [0, ""]);
  });

  it("takes quoted local parts and the null sender, and no null recipient", async (t) => {
    const { port, line } = await serve(t);
    const mail = (from: string, ...to: string[]): Promise<string> =>
      session(
        port,
        `EHLO x\r\nMAIL ` +
          `FROM:<${from}>\r\n${to.map((each) => `RCPT TO:<${each}>\r\n`).join("")}DATA\r\nSubject: ` +
          `hi\r\n\r\n.\r\nQUIT\r\n`,
      );
    assert.equal(
      codes(await mail('"a b"@x', '"x>y"@x', '"q\\"<"@x', "grüße@x")),
      "220 250 250 250 250 250 354 250 221",
    );
    assert.match(await line(/^message /), /from=<"a b"@x> to=<"x>y"@x>,<"q\\"<"@x>,<gr.{1,4}e@x> /);
    assert.equal(codes(await mail("", "")), "220 250 250 501 354 503 221");
    for (const path of ["a b@x", '"a@x', "a<b@x", 'a"b@x'])
      assert.equal(
        codes(await session(port, `HELO x\r\nMAIL FROM:<${path}>\r\nQUIT\r\n`)),
        "220 250 501 221",
        path,
      );
  });

  it("reads SIZE as decimal digits and nothing else", async (t) => {
    const { port } = await serve(t, "--size", "1000");
    const sizes = {
      "1000": "250",
      "0": "250",
      "0999": "250",
      "1001": "552",
      "99999999999999999999": "552",
      "1e3": "501",
      "0x10": "501",
      "": "501",
      "-1": "501",
      "+1": "501",
    };
    for (const [size, code] of Object.entries(sizes))
      assert.equal(
        codes(await session(port, `HELO x\r\nMAIL FROM:<a@x> SIZE=${size}\r\nQUIT\r\n`)),
        `220 250 ${code} 221`,
        size,
      );
    for (const size of ["1e3", "0x10", "", "-1"])
      assert.equal(
        (
          await run(process.execPath, [
            "examples/smtp-sink/main.ts",
            "--address",
            "tcp://127.0.0.1:0",
            `--size=${size}`,
          ])
        ).code,
        1,
        size,
      );
  });

  it("keeps the law of cuts, with messages in turn with commands", () => {
    const streams = [
      "DATA\r\n.\r\nA\r\n",
      "data\r\n..a\r\n.\r\nB\r\n",
      "A\r\nDATA\r\nlong line\r\n.\r\nDATA\r\nb\r\n.\r\nQUIT\r\n",
      "DATA\r\nx\ny\r\n.\r\n",
      "DATA \r\nabc",
    ];
    verifyFraming(smtp, ["", "A", "NOOP", "EHLO example.org", ".", "x".repeat(300)].map(latin1), {
      streams: streams.map(latin1),
    });
  });

  it("counts the offset of a fault from the stream's beginning, whichever framing found it", () => {
    const { frames, fault } = decodeChunks(smtp, [
      latin1("NOOP\r\nDATA\r\nhi\r\n.\r\nDATA\r\na\nb"),
    ]);
    assert.deepEqual(
      frames.map((frame) => Buffer.from(frame).toString()),
      ["NOOP", "DATA", "hi\r\n", "DATA"],
    );
    assert.deepEqual([fault?.code, fault?.offset], ["FRAME_MALFORMED", 26]);
  });
});
