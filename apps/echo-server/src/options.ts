/**
 * The command line of the echo server: its flags and its help. Must not know what is done with the
 * options.
 */
import { parseArgs } from "node:util";
import {
  echoFlags,
  type EchoWire,
  type Endpoint,
  fail,
  readEchoWire,
  readEndpoint,
  sharedFlags,
} from "@hawser/command-line";

const help = `Usage: hawser-echo-server [options]

Answers each message with the message, until the client sends the sentinel.

  --address ADDRESS  where to listen: tcp://host:port, tls://host:port, unix:/path, unix:@name, pipe:name
                     (default tcp://localhost:1234; the environment variable PORT changes the port)
  --host HOST        instead of --address: tcp://HOST:1234
  --port PORT        instead of --address: tcp://localhost:PORT (0 takes a free one)
  --path PATH        instead of --address: unix:PATH
  --wire WIRE        lines: text lines (default); length32: frames with a 32-bit length before them;
                     classic: no frames, each chunk is answered with itself, a space and the sentinel;
                     session: typed requests, which the client ends without a sentinel
  --sentinel TEXT    what ends a conversation (default exit)
  --cert FILE        for tls://: the server's certificate, PEM
  --key FILE         for tls://: its private key, PEM
  --ca FILE          for tls://: clients must have a certificate signed by one of these, PEM
  --help             print this
`;

/** What the command line asks for. */
export interface Options extends Endpoint {
  readonly wire: EchoWire;
  readonly sentinel: string;
}

/**
 * Read the command line. `--help`, a wrong flag and a file that can't be read end the program here.
 */
export function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        ...sharedFlags,
        ...echoFlags,
      },
    });
    return {
      ...readEndpoint(values, help),
      wire: readEchoWire(values.wire),
      sentinel: values.sentinel,
    };
  } catch (error) {
    fail(error);
  }
}
