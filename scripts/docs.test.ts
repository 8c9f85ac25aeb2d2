// The documentation is true: the generated pages are what the tables say, and each example
// compiles, runs and asserts. An example is a `ts` block of README.md, of a page directly in docs/,
// of a package's README or of an `@example`. It runs on the pinned Node as a module of the
// conformance package, which depends on all of ours, with port 1234 exchanged for a free one.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import ts from "typescript";
import { describe, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const home = join(root, "conformance");
/** Rejects with what the program wrote to stderr when its exit code is not 0. */
const run = promisify(execFile);

interface Example {
  readonly name: string;
  readonly code: string;
}

const examples = globSync(
  ["README.md", "docs/*.md", "packages/*/README.md", "packages/*/src/**/*.ts"],
  { cwd: root },
)
  .sort()
  .flatMap(readExamples);
describe("docs", () => {
  it("errors.md and limits.md are what the tables say", async () => {
    await run(process.execPath, ["scripts/docs.ts", "--check"], { cwd: root });
  });

  it("each package's README has an example", () => {
    for (const path of globSync("packages/*/README.md", { cwd: root })) {
      assert(
        examples.some(({ name }) => name.startsWith(path)),
        `${path} has no ts block`,
      );
    }
  });

  it("each relative link leads to a file", () => {
    for (const path of globSync(["*.md", "docs/**/*.md", "packages/*/README.md"], { cwd: root })) {
      for (const [, target = ""] of readFileSync(join(root, path), "utf8").matchAll(
        /\]\((?!\w+:|#)([^)#]+)/g,
      )) {
        assert(
          globSync(target, { cwd: join(root, dirname(path)) }).length > 0,
          `${path} links to ${target}, which does not exist`,
        );
      }
    }
  });

  it("each example compiles", { timeout: 60_000 }, () => {
    const files = new Map(
      examples.map(({ name, code }) => [join(home, `${name.replaceAll(/\W/g, "-")}.ts`), code]),
    );
    assert.deepEqual(compile(files), []);
  });

  it.concurrent.each(examples)("$name runs", { timeout: 60_000 }, async ({ code }) => {
    // A server that an example leaves open must not keep the process.
    const program =
      `${code.replaceAll("1234", String(await freePort()))}\nimport("node:process").then(({ exit ` +
      `}) => exit(0));\n`;
    await run(process.execPath, ["--input-type=module-typescript", "--eval", program], {
      cwd: home,
      timeout: 50_000,
    });
  });
});

function readExamples(path: string): Example[] {
  const content = readFileSync(join(root, path), "utf8");
  const blocks = path.endsWith(".md")
    ? [...content.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code = ""]) => code)
    : [...content.matchAll(/@example\n\s*\* ```ts\n([^]*?)\n\s*\* ```/g)].map(([, code = ""]) =>
        code.replaceAll(/^\s*\* ?/gm, ""),
      );
  return blocks.map((code, index) => ({ name: `${path} example ${index + 1}`, code }));
}

/** What the compiler has against these files, none of which is on the disk. */
function compile(files: ReadonlyMap<string, string>): string[] {
  const config = ts.readConfigFile(join(home, "tsconfig.json"), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, home);
  const host = ts.createCompilerHost(options);
  host.fileExists = (path) => files.has(path) || ts.sys.fileExists(path);
  host.readFile = (path) => files.get(path) ?? ts.sys.readFile(path);
  const program = ts.createProgram([...files.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
    return `${file?.fileName ?? ""}:${line}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
}

function freePort(): Promise<number> {
  return new Promise((settle) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        settle(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  });
}
