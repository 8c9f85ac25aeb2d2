// Owns the house's import rules (DESIGN: protocol <- transport <- session <- server, client <- the
// rest) and checks every file against them. Reads syntax only: no types, no build. Type-only
// imports count, because they bind layers as much as values do.

import { existsSync, globSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, posix, resolve, sep } from "node:path";
import ts from "typescript";

const root = resolve(import.meta.dirname, "..");

/**
 * What each unit may import of ours. A package that is not in this table is a violation: give it
 * its place.
 */
const layers: Record<string, readonly string[]> = {
  "packages/protocol": [],
  "packages/transport": ["packages/protocol"],
  "packages/session": ["packages/protocol", "packages/transport"],
  "packages/server": ["packages/protocol", "packages/transport", "packages/session"],
  "packages/client": ["packages/protocol", "packages/transport", "packages/session"],
};
const everyPackage = Object.keys(layers);
/** What else the tests may import: they verify the framings of the examples and the benchmarks. */
const tested: Record<string, readonly string[]> = { conformance: ["bench", "examples"] };
/** What the apps share among themselves; a library only for them. */
const appLibrary = "apps/command-line";
const networkModules = ["node:net", "node:tls"];
const networkOwner = "packages/transport/src/node/socket.ts";

interface Unit {
  readonly dir: string;
  readonly name: string;
  readonly exports: Record<string, unknown>;
  /** What source may import; tools (`devDependencies`) count only where nothing is published. */
  readonly dependencies: ReadonlySet<string>;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

interface Source {
  readonly path: string;
  readonly unit: Unit;
  readonly imports: readonly Import[];
  readonly forbidden: readonly { readonly line: number; readonly what: string }[];
}

const units = readUnits();
const unitByName = new Map(units.map((unit) => [unit.name, unit]));
const sources = units.flatMap(readSources);
if (sources.length === 0)
  throw new Error("no source file found; are the patterns in scripts/check-layers.ts right?");
const violations: string[] = [];
const graph = new Map<string, string[]>();

for (const source of sources) checkSource(source);
const cycles = findCycles(graph);
for (const cycle of cycles)
  violations.push(`${cycle[0] ?? ""}: import cycle: ${cycle.join(" -> ")}`);

const imports = sources.reduce((sum, source) => sum + source.imports.length, 0);
const counted = `layers: ${sources.length} files, ${imports} imports`;
if (violations.length === 0) {
  console.log(`${counted}, no cycle`);
} else {
  for (const violation of violations) console.error(violation);
  console.error(
    `${counted}, ${violations.length} ${violations.length === 1 ? "violation" : "violations"}`,
  );
  process.exitCode = 1;
}

function checkSource(source: Source): void {
  const report = (line: number, what: string): void => {
    violations.push(`${source.path}:${line}: ${what}`);
  };
  const targets: string[] = [];
  graph.set(source.path, targets);
  for (const { line, what } of source.forbidden) report(line, what);
  for (const { specifier, line } of source.imports) {
    if (isBuiltin(specifier)) {
      for (const what of builtinViolations(source, specifier)) report(line, what);
      continue;
    }
    const target = specifier.startsWith(".")
      ? relativeTarget(source, specifier)
      : packageTarget(source, specifier);
    if (typeof target === "string") {
      targets.push(target);
      if (
        isPackage(source.unit) &&
        target.endsWith("/mod.ts") &&
        target.startsWith(`${source.unit.dir}/src/`)
      ) {
        report(
          line,
          `imports its own package's entry "${specifier}"; import the file that owns the name`,
        );
      }
    } else {
      for (const what of target) report(line, what);
    }
  }
}

function builtinViolations(source: Source, specifier: string): string[] {
  const found: string[] = [];
  if (!specifier.startsWith("node:"))
    found.push(`imports "${specifier}"; write "node:${specifier}"`);
  const name = specifier.startsWith("node:") ? specifier : `node:${specifier}`;
  if (source.unit.dir === "packages/protocol") {
    found.push(`packages/protocol imports no Node module, but "${specifier}" is imported`);
  } else if (
    networkModules.includes(name) &&
    source.path !== networkOwner &&
    /^(packages|apps)\//.test(source.path)
  ) {
    found.push(`only ${networkOwner} imports "${name}"`);
  }
  return found;
}

/** The file's path, or the violations. */
function relativeTarget(source: Source, specifier: string): string | string[] {
  const path = posix.join(posix.dirname(source.path), specifier);
  if (!path.startsWith(`${source.unit.dir}/`)) {
    return [`"${specifier}" leaves ${source.unit.dir}; import another unit by its package's name`];
  }
  return existsSync(join(root, path))
    ? path
    : [`"${specifier}" does not exist (write the file's name with .ts)`];
}

/**
 * The file that the package's `exports` names (of ours), nothing (of others), or the violations.
 */
function packageTarget(source: Source, specifier: string): string | string[] {
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const from = source.unit;
  const to = unitByName.get(name);
  if (to === from)
    return [`imports its own package by name, "${specifier}"; import the file that owns the name`];
  if (to?.dir === appLibrary && from.dir.startsWith("apps/")) return [];
  if (to?.dir.startsWith("apps/"))
    return [`nothing imports an app, but "${specifier}" is imported`];
  const allowed = layers[from.dir] ?? [...everyPackage, ...(tested[from.dir] ?? [])];
  if (to !== undefined && !allowed.includes(to.dir)) {
    return [
      `${from.dir} may import ${allowed.join(", ") || "no package"}, not ${to.dir} ` +
        `("${specifier}")`,
    ];
  }
  if (to === undefined && from.dir === "packages/protocol")
    return [`packages/protocol has no dependency, but "${specifier}" is imported`];
  if (!from.dependencies.has(name))
    return [`"${name}" is not in the dependencies of ${from.dir}/package.json`];
  if (to === undefined) return [];
  const entry = to.exports[`.${specifier.slice(name.length)}`];
  if (typeof entry !== "string") return [`${to.dir}/package.json exports no "${specifier}"`];
  return posix.join(to.dir, entry);
}

function readUnits(): Unit[] {
  const manifests = [
    "packages/*/package.json",
    "apps/*/package.json",
    "conformance/package.json",
    "bench/package.json",
    "examples/package.json",
  ];
  return globSync(manifests, { cwd: root })
    .sort()
    .map((path) => {
      const dir = dirname(path).split(sep).join("/");
      const manifest = JSON.parse(readFileSync(join(root, path), "utf8")) as {
        name: string;
        exports?: Record<string, unknown>;
        dependencies?: Record<string, string>;
        peerDependencies?: Record<string, string>;
        devDependencies?: Record<string, string>;
      };
      const { name, exports = {}, dependencies, peerDependencies, devDependencies } = manifest;
      const tools = dir.startsWith("packages/") ? {} : devDependencies;
      return {
        dir,
        name,
        exports,
        dependencies: new Set(Object.keys({ ...dependencies, ...peerDependencies, ...tools })),
      };
    });
}

function readSources(unit: Unit): Source[] {
  if (isPackage(unit) && layers[unit.dir] === undefined) {
    throw new Error(`${unit.dir} has no place in the table of scripts/check-layers.ts`);
  }
  const pattern = isPackage(unit) ? `${unit.dir}/src/**/*.ts` : `${unit.dir}/**/*.ts`;
  return globSync(pattern, {
    cwd: root,
    exclude: ["**/node_modules/**", "**/dist/**", "**/*.config.ts"],
  })
    .map((path) => path.split(sep).join("/"))
    .sort()
    .map((path) => readSource(unit, path));
}

function readSource(unit: Unit, path: string): Source {
  const file = ts.createSourceFile(
    path,
    readFileSync(join(root, path), "utf8"),
    ts.ScriptTarget.Latest,
    true,
  );
  const imports: Import[] = [];
  const forbidden: { line: number; what: string }[] = [];
  const lineOf = (node: ts.Node): number =>
    file.getLineAndCharacterOfPosition(node.getStart()).line + 1;
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ specifier, line: lineOf(node) });
    if (isPackage(unit) && isDefaultExport(node)) {
      forbidden.push({ line: lineOf(node), what: "default export; name what you export" });
    }
    if (
      ts.isExportDeclaration(node) &&
      (node.exportClause === undefined || ts.isNamespaceExport(node.exportClause))
    ) {
      forbidden.push({ line: lineOf(node), what: "`export *`; list the names" });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { path, unit, imports, forbidden };
}

function specifierOf(node: ts.Node): string | undefined {
  let specifier: ts.Node | undefined;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node))
    specifier = node.moduleSpecifier;
  else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
    specifier = node.argument.literal;
  else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    specifier = node.arguments[0];
  return specifier !== undefined && ts.isStringLiteral(specifier) ? specifier.text : undefined;
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true;
  if (ts.isExportSpecifier(node)) return node.name.text === "default";
  if (!ts.canHaveModifiers(node)) return false;
  return (
    ts.getModifiers(node)?.some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword) ??
    false
  );
}

function isPackage(unit: Unit): boolean {
  return unit.dir.startsWith("packages/");
}

/** Depth first; one path per cycle, from its first file back to it. */
function findCycles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const walk = (file: string): void => {
    const start = path.indexOf(file);
    if (start >= 0) found.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    path.push(file);
    for (const next of edges.get(file) ?? []) walk(next);
    path.pop();
    done.add(file);
  };
  for (const file of edges.keys()) walk(file);
  return found;
}
