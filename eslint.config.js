// @ts-check
import js from "@eslint/js";
import jsdoc from "eslint-plugin-jsdoc";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

const clock = "packages/transport/src/clock.ts";
const timers = ["setTimeout", "setInterval", "setImmediate"];
const passedIn = "Time and chance are passed in (packages/transport/src/clock.ts owns the clock).";

/** @param {{ object: string, property: string }[]} [allowed] */
const impureCalls = (allowed = []) => [
  "error",
  ...[
    { object: "Date", property: "now", message: passedIn },
    { object: "Math", property: "random", message: passedIn },
    { object: "performance", property: "now", message: passedIn },
    ...timers.map((property) => ({ object: "globalThis", property, message: passedIn })),
  ].filter(
    ({ object, property }) =>
      !allowed.some((one) => one.object === object && one.property === property),
  ),
];

/** @type {["error", ...{ name: string, message: string }[]]} */
const timerGlobals = ["error", ...timers.map((name) => ({ name, message: passedIn }))];

const timerModules = {
  paths: ["timers", "timers/promises", "perf_hooks"].flatMap((name) =>
    [name, `node:${name}`].map((path) => ({ name: path, message: passedIn })),
  ),
};

/** A caught value may be anything, and looking at it may throw. */
const caughtValues = [
  {
    selector: "BinaryExpression[operator='instanceof'][right.name='Error']",
    message: "isError() of protocol/src/caught.ts never throws.",
  },
  {
    selector:
      "CallExpression[callee.name='String'][arguments.0.name=/^(cause|caught|error|reason|thrown)$/]",
    message: "describeCaught() of protocol/src/caught.ts never throws.",
  },
];

const noEnum = {
  selector: "TSEnumDeclaration",
  message: "No enum: use a union of literals or a frozen object.",
};

export default defineConfig(
  globalIgnores(["**/dist/", "**/coverage/", "**/.turbo/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      // It asks for the `!` that the rule above forbids; a cast with a comment is the way (STYLE).
      "@typescript-eslint/non-nullable-type-assertion-style": "off",
      "no-restricted-syntax": ["error", noEnum],
    },
  },
  {
    files: ["conformance/**/*.ts"],
    rules: {
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            { from: "package", package: "node:test", name: ["describe", "it", "suite", "test"] },
          ],
        },
      ],
    },
  },
  {
    files: ["packages/*/src/**/*.ts"],
    extends: [jsdoc.configs["flat/recommended-tsdoc-error"]],
    rules: {
      "jsdoc/check-tag-names": ["error", { definedTags: ["module"] }],
      "jsdoc/require-jsdoc": [
        "error",
        { publicOnly: true, contexts: ["TSInterfaceDeclaration", "TSTypeAliasDeclaration"] },
      ],
      // STYLE: a docstring never restates a type; it names a parameter where the contract needs it.
      "jsdoc/require-param": "off",
      "jsdoc/require-returns": "off",
      "jsdoc/require-yields": "off",
      "jsdoc/tag-lines": ["error", "any", { startLines: 1 }],
      "no-console": "error",
      "no-restricted-globals": timerGlobals,
      "no-restricted-imports": ["error", timerModules],
      "no-restricted-properties": impureCalls(),
      "no-restricted-syntax": [
        "error",
        noEnum,
        {
          selector: "ExportDefaultDeclaration",
          message: "No default export: name what you export.",
        },
        { selector: "ExportAllDeclaration", message: "No `export *`: list the names." },
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: passedIn,
        },
        ...caughtValues,
      ],
    },
  },
  {
    files: ["packages/protocol/src/caught.ts", "packages/protocol/src/errors.ts"],
    rules: { "no-restricted-syntax": ["error", noEnum] },
  },
  {
    files: [clock],
    rules: {
      "no-restricted-globals": "off",
      "no-restricted-properties": impureCalls([{ object: "performance", property: "now" }]),
    },
  },
);
