import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // No test asserts a time; the limit only ends one that hangs, also on a machine that is busy.
    testTimeout: 120_000,
    coverage: {
      provider: "v8",
      // Relative to each project's own root.
      include: ["**/src/**/*.ts"],
      reporter: ["text"],
    },
    projects: [
      ...["protocol", "transport", "session", "server", "client"].map((name) => ({
        extends: true as const,
        test: { name, root: `packages/${name}`, include: ["test/**/*.test.ts"] },
      })),
      { extends: true, test: { name: "docs", include: ["scripts/*.test.ts"] } },
    ],
  },
});
