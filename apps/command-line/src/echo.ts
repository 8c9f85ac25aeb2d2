/**
 * What the two echo programs must agree on: the names of their wires, the sentinel, and the
 * contract of `--wire session`.
 *
 * @module
 */
import { defineProtocol, type Protocol, text, type } from "@hawser/protocol";

/** The wires that both programs speak, by the name that `--wire` takes. */
const echoWires = Object.freeze(["lines", "length32", "classic", "session"] as const);

/** A name of {@link echoWires}. */
export type EchoWire = (typeof echoWires)[number];

/** The flags that choose how the echo programs speak, for `parseArgs`. */
export const echoFlags = {
  wire: { type: "string", default: "lines" },
  sentinel: { type: "string", default: "exit" },
} as const;

/**
 * The wire that `--wire` names.
 *
 * @throws {TypeError} when it names none
 */
export function readEchoWire(value: string): EchoWire {
  const name = echoWires.find((each) => each === value);
  if (name === undefined)
    throw new TypeError(
      `Cannot use --wire ${JSON.stringify(value)}: it is ${echoWires.join(", ")}`,
    );
  return name;
}

const say = { input: type<string>(), output: type<string>(), codec: text() } as const;

/** What the echo programs say over `--wire session`: `say` comes back as it is. */
export const echoProtocol: Protocol<{
  readonly name: "echo";
  readonly version: 1;
  readonly requests: { readonly say: typeof say };
}> = defineProtocol({
  name: "echo",
  version: 1,
  requests: { say },
});
