/**
 * The command line of the echo client: its flags and its help. Must not know what is done with the
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

const help = `Usage: hawser-echo-client [options]

Says a message, prints the answers, and ends with the sentinel. On a terminal it goes on with what is typed, until the
sentinel or Ctrl-D. It exits with 0 when the conversation ended in the sentinel, else with 1; with 2 for wrong usage.

  --address ADDRESS  where the server is: tcp://host:port, tls://host:port, unix:/path, unix:@name, pipe:name
                     (default tcp://localhost:1234; the environment variable PORT changes the port)
  --host HOST        instead of --address: tcp://HOST:1234
  --port PORT        instead of --address: tcp://localhost:PORT
  --path PATH        instead of --address: unix:PATH
  --wire WIRE        lines: text lines (default); length32: frames with a 32-bit length before them;
                     classic: no frames, the answer is what comes before a space and the sentinel (on a terminal,
                     each line is a conversation of its own);
                     session: typed requests, which come back to a server that was away
  --sentinel TEXT    what ends a conversation (default exit)
  --message TEXT     what to say first (default Hello World!)
  --wait             wait for a server that is not there yet; on a terminal, connect again when it goes
  --ca FILE          for tls://: who signs the server's certificate, PEM (default: whom the system trusts)
  --cert FILE        for tls://: the client's certificate, PEM
  --key FILE         for tls://: its private key, PEM
  --help             print this
`;

/** What the command line asks for. */
export interface Options extends Endpoint {
  readonly wire: EchoWire;
  readonly sentinel: string;
  readonly message: string;
  readonly wait: boolean;
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
        message: { type: "string", default: "Hello World!" },
        wait: { type: "boolean", default: false },
      },
    });
    return {
      ...readEndpoint(values, help),
      wire: readEchoWire(values.wire),
      sentinel: values.sentinel,
      message: values.message,
      wait: values.wait,
    };
  } catch (error) {
    fail(error);
  }
}
