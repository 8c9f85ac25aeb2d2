// examples/mllp, driven by a client that knows nothing of Hawser: Python's sockets.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, it } from "node:test";
import { missing, run, start } from "./examples.ts";

const client = `
import socket, sys
SB, EB, CR = b"\\x0b", b"\\x1c", b"\\r"

def read(sock, rest):
    while EB + CR not in rest:
        chunk = sock.recv(4096)
        if not chunk:
            raise SystemExit("the listener closed")
        rest += chunk
    block, rest = rest.split(EB + CR, 1)
    assert block[:1] == SB, block
    return block[1:], rest

def fields(message, name):
    for segment in message.split(CR):
        if segment.startswith(name):
            return segment.split(b"|")
    raise SystemExit("no " + name.decode())

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
    rest = b""
    messages = [b"MSH|^~\\\\&|LAB|NORTH|EHR|SOUTH|20261122130000||ADT^A01|id-%d|P|2.5\\rPID|1||42||M\\xfcller^J\\xf6rg\\r" % n for n in range(50)]
    # The first in two pieces, cut inside its end; the rest at once, as a sender that does not wait.
    first = SB + messages[0] + EB + CR
    sock.sendall(first[:-1])
    sock.sendall(first[-1:] + b"".join(SB + each + EB + CR for each in messages[1:]))
    for n in range(50):
        answer, rest = read(sock, rest)
        header, acknowledgement = fields(answer, b"MSH"), fields(answer, b"MSA")
        assert acknowledgement[1:3] == [b"AA", b"id-%d" % n], acknowledgement
        assert header[2:6] == [b"EHR", b"SOUTH", b"LAB", b"NORTH"], header
        assert header[8] == b"ACK^A01^ACK" and header[11] == b"2.5", header
    sock.sendall(SB + b"this is no HL7" + EB + CR)
    answer, rest = read(sock, rest)
    assert fields(answer, b"MSA")[1] == b"AR", answer
print("fine")
`;

describe("examples/mllp", () => {
  it(
    "acknowledges each message of a Python client with its control id",
    { skip: missing("python3") },
    async (t) => {
      const { port, line } = await start(t, "mllp", "--address", "tcp://127.0.0.1:0");
      const { stdout, stderr } = await run("python3", ["-c", client, String(port)]);
      assert.equal(stdout.trim(), "fine", stderr);
      assert.match(await line(/id-49/), / AA type="ADT\^A01" id="id-49" bytes=\d+$/);
    },
  );

  it("prints no character of a peer that steers a terminal", async (t) => {
    const { port, line } = await start(t, "mllp", "--address", "tcp://127.0.0.1:0");
    const socket = connect(port, "127.0.0.1");
    socket.end(
      Buffer.from("\x0bMSH|^~\\&|a|b|c|d|20260101||ADT^\x9b2J|\x1b[2J|P|2.5\r\x1c\r", "latin1"),
    );
    await buffer(socket);
    const printed = await line(/ AA /);
    assert.match(printed, /type="ADT\^\\u\{9b\}2J"/);
    assert.doesNotMatch(printed, /[\p{Cc}\p{Cf}]/u);
  });

  it("closes on what is no block", async (t) => {
    const { port } = await start(t, "mllp", "--address", "tcp://127.0.0.1:0");
    const socket = connect(port, "127.0.0.1");
    socket.end("GET / HTTP/1.1\r\n\r\n");
    assert.equal((await buffer(socket)).length, 0);
  });
});
