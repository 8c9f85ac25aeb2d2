// What an error advises exists: each name in the texts of the packages that reads like an option
// (idleTimeoutMs, tls.ca) is declared somewhere in their source.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { describe, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
// It lists the words of JSON Schema, and has no texts.
const jsonSchema = "packages/protocol/src/contract/shape.ts";
const sources = globSync("packages/*/src/**/*.ts", { cwd: root, exclude: [jsonSchema] }).map(
  (path) => parse(path, readFileSync(join(root, path), "utf8")),
);

/** Names of others that a text may hold: of X.509, of JSON-RPC, of JavaScript. */
const foreign = new Set([
  "extendedKeyUsage",
  "serverAuth",
  "clientAuth",
  "gRPC",
  "cancelRequest",
  "toWellFormed",
]);

function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  node.forEachChild((child) => {
    visit(child, see);
  });
}

/** Names of members, parameters, functions and variables, and of tables' rows. */
function declaredNames(files: readonly ts.SourceFile[]): Set<string> {
  const names = new Set<string>();
  for (const file of files) {
    visit(file, (node) => {
      const isDeclared =
        ts.isPropertySignature(node) ||
        ts.isMethodSignature(node) ||
        ts.isMethodDeclaration(node) ||
        ts.isPropertyDeclaration(node) ||
        ts.isGetAccessor(node) ||
        ts.isPropertyAssignment(node) ||
        ts.isShorthandPropertyAssignment(node) ||
        ts.isParameter(node) ||
        ts.isFunctionDeclaration(node) ||
        ts.isVariableDeclaration(node);
      if (
        isDeclared &&
        node.name !== undefined &&
        (ts.isIdentifier(node.name) || ts.isStringLiteral(node.name))
      )
        names.add(node.name.text);
    });
  }
  return names;
}

/**
 * Words with a capital inside that begin in lower case, and members of tls, of the texts of more
 * than one word.
 */
function advisedNames(file: ts.SourceFile): { name: string; text: string }[] {
  const found: { name: string; text: string }[] = [];
  visit(file, (node) => {
    if (
      !ts.isStringLiteral(node) &&
      !ts.isNoSubstitutionTemplateLiteral(node) &&
      !ts.isTemplateHead(node) &&
      !ts.isTemplateMiddleOrTemplateTail(node)
    )
      return;
    if (
      ts.isImportDeclaration(node.parent) ||
      ts.isExportDeclaration(node.parent) ||
      !node.text.trim().includes(" ")
    )
      return;
    for (const [, member, word] of node.text.matchAll(/\btls\.(\w+)|\b([a-z]+[A-Z]\w*)\b/g))
      found.push({ name: member ?? word ?? "", text: node.text });
  });
  return found;
}

describe("the texts of errors", () => {
  it("name only options that exist", () => {
    const declared = declaredNames(sources);
    const unknown = sources.flatMap((file) =>
      advisedNames(file)
        .filter(({ name }) => !declared.has(name) && !foreign.has(name))
        .map(({ name, text }) => `${file.fileName}: ${name} in ${JSON.stringify(text)}`),
    );
    assert.deepEqual(unknown, []);
    assert(sources.flatMap(advisedNames).length > 50, "the texts were found");
  });

  it("are found out when they name one that does not", () => {
    const file = parse(
      "x.ts",
      'throw new HawserError("X", "name the proxy in trustedProxies, or give tls.nonsense");',
    );
    assert.deepEqual(
      advisedNames(file).map(({ name }) => name),
      ["trustedProxies", "nonsense"],
    );
    const declared = declaredNames(sources);
    assert(!declared.has("trustedProxies") && !declared.has("nonsense"));
  });
});
