// Each name that a package's entry exports has a docstring: its page on a registry, and what an
// editor shows, would say nothing else. Owns the entries (`exports` of each package.json) and the
// count. Must not judge the text, nor members: a member whose name and type say all needs none.
//
//   node scripts/check-docs.ts             every package; exits with 1 when a name has none
//   node scripts/check-docs.ts FILE...     these entries instead
//   node scripts/check-docs.ts --members   also lists the members without one; they fail nothing

import { globSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import ts from "typescript";

const root = resolve(import.meta.dirname, "..");
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { members: { type: "boolean", default: false } },
});
const entries = positionals.length > 0 ? positionals.map((path) => resolve(path)) : readEntries();
const program = ts.createProgram(entries, readOptions());
const checker = program.getTypeChecker();

const names = new Map<ts.Symbol, string>();
for (const entry of entries) for (const [symbol, name] of exportsOf(entry)) names.set(symbol, name);
const undocumented = [...names].filter(([symbol]) => !isDocumented(symbol));
for (const [symbol, name] of undocumented)
  console.error(`${placeOf(symbol)}: ${name} is exported and has no docstring`);

const members = [...names].flatMap(([symbol, name]) =>
  membersOf(symbol)
    .filter((member) => member.getDocumentationComment(checker).length === 0)
    .map((member) => `${placeOf(member)}: ${name}.${member.name} has no docstring`),
);
if (options.members) for (const member of members) console.log(member);
console.log(
  `docs: ${entries.length} entries, ${names.size} exports, ${undocumented.length} without a ` +
    `docstring (members: ${members.length})`,
);
process.exitCode = undocumented.length > 0 ? 1 : 0;

function readEntries(): string[] {
  return globSync("packages/*/package.json", { cwd: root })
    .sort()
    .flatMap((path) => {
      const { exports } = JSON.parse(readFileSync(join(root, path), "utf8")) as {
        exports: Record<string, string>;
      };
      return Object.values(exports)
        .filter((target) => target.endsWith(".ts"))
        .map((target) => join(root, path, "..", target));
    });
}

function readOptions(): ts.CompilerOptions {
  const path = join(root, "tsconfig.base.json");
  const { config } = ts.readConfigFile(path, (file) => ts.sys.readFile(file)) as {
    config: unknown;
  };
  return ts.parseJsonConfigFileContent(config, ts.sys, root).options;
}

/** What the entry exports, where it is declared, and by which name. */
function exportsOf(entry: string): [ts.Symbol, string][] {
  const file = program.getSourceFile(entry);
  const module = file === undefined ? undefined : checker.getSymbolAtLocation(file);
  if (module === undefined) throw new Error(`${entry} is not a module; does it exist?`);
  return checker.getExportsOfModule(module).map((symbol) => {
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    return [isAlias ? checker.getAliasedSymbol(symbol) : symbol, symbol.name];
  });
}

/** True if a declaration has a docstring; a file's own, above its first declaration, is not one. */
function isDocumented({ declarations = [] }: ts.Symbol): boolean {
  return declarations
    .flatMap((declaration) => ts.getJSDocCommentsAndTags(declaration))
    .filter((part) => ts.isJSDoc(part))
    .some(
      ({ comment, tags = [] }) =>
        comment !== undefined && !tags.some(({ tagName }) => tagName.text === "module"),
    );
}

/** The members of an interface or class that are its own, and public. */
function membersOf(symbol: ts.Symbol): ts.Symbol[] {
  return [...(symbol.members?.values() ?? [])].filter(
    ({ name, declarations = [] }) =>
      !name.startsWith("__") &&
      declarations.some(
        (one) =>
          (ts.isTypeElement(one) || ts.isClassElement(one)) &&
          (one.name === undefined || !ts.isPrivateIdentifier(one.name)),
      ),
  );
}

/** `file:line` of its first declaration. */
function placeOf(symbol: ts.Symbol): string {
  const declaration = symbol.declarations?.[0];
  if (declaration === undefined) return symbol.name;
  const file = declaration.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(declaration.getStart());
  return `${relative(root, file.fileName)}:${line + 1}`;
}
