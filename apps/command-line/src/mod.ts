/**
 * What the command lines of Hawser's programs share: where to connect or listen, TLS files, and
 * every failure as one sentence with an exit code. Must not know what a program does.
 *
 * @module
 */
import { printable } from "@hawser/protocol";
import { readFileSync } from "node:fs";
import process from "node:process";
import { type Address, parseAddress, type TlsOptions } from "@hawser/transport";

export { echoFlags, echoProtocol, readEchoWire } from "./echo.ts";
export type { EchoWire } from "./echo.ts";

const text = { type: "string" } as const;

/** The flags of every program, for `parseArgs`. */
export const sharedFlags = {
  address: text,
  host: text,
  port: text,
  path: text,
  cert: text,
  key: text,
  ca: text,
  help: { type: "boolean", default: false },
} as const;

/** The values of {@link sharedFlags}, as `parseArgs` gives them. */
export type SharedValues = Readonly<
  Partial<Record<Exclude<keyof typeof sharedFlags, "help">, string | undefined>> & { help: boolean }
>;

/** Where, and with which certificates. */
export interface Endpoint {
  readonly address: Address;
  readonly tls: TlsOptions | undefined;
}

/**
 * Read the shared flags; `--help` prints `help` and ends the program.
 *
 * @throws {TypeError} when flags contradict each other or the address can't be read
 * @throws {Error} when a file can't be read or holds no PEM
 */
export function readEndpoint(values: SharedValues, help: string): Endpoint {
  if (values.help) {
    process.stdout.write(help);
    process.exit();
  }
  const address = parseAddress(readAddress(values));
  const tls = {
    cert: readPem("cert", values.cert),
    key: readPem("key", values.key),
    ca: readPem("ca", values.ca),
  };
  const hasPem = Object.values(tls).some((each) => each !== undefined);
  if (hasPem && address.transport !== "tls")
    throw new TypeError("Cannot use --cert, --key or --ca without a tls:// address");
  return { address, tls: hasPem ? tls : undefined };
}

/**
 * End the program with one sentence: exit code 2 for wrong usage (a TypeError or RangeError), 1 for
 * what happened to it.
 */
export function fail(error: unknown): never {
  const wrongUsage = error instanceof TypeError || error instanceof RangeError;
  const [sentence = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  console.error(`${printable(sentence)}${wrongUsage ? "; see --help" : ""}`);
  process.exit(wrongUsage ? 2 : 1);
}

function readAddress({ address, host, port, path }: SharedValues): string {
  const given = [address, path, host ?? port].filter((each) => each !== undefined);
  if (given.length > 1)
    throw new TypeError(
      "Cannot use --address, --path and --host or --port together: they say the same thing",
    );
  if (path !== undefined) return `unix:${path}`;
  const name = host ?? "localhost";
  return (
    address ??
    `tcp://${name.includes(":") ? `[${name}]` : name}:${port ?? process.env["PORT"] ?? "1234"}`
  );
}

function readPem(flag: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const file = `--${flag} ${JSON.stringify(path)}`;
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException; // node:fs throws nothing else
    throw new Error(
      `Cannot read ${file}: ` +
        (code === "ENOENT" ? "there is no such file" : `the system says ${code}`),
      { cause: error },
    );
  }
  if (!pem.includes("-----BEGIN "))
    throw new Error(
      `Cannot use ${file}: it is not a PEM file, which has a line that begins with -----BEGIN`,
    );
  return pem;
}
