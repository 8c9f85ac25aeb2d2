import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/main.ts"],
  format: ["esm"],
  target: "es2023",
  platform: "node",
  removeNodeProtocol: false,
  noExternal: [/^@hawser\//],
  sourcemap: true,
  clean: true,
});
