import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/mod.ts", "src/engine.ts", "src/testing/mod.ts"],
  format: ["esm"],
  target: "es2023",
  platform: "node",
  removeNodeProtocol: false,
  dts: true,
  sourcemap: true,
  clean: true,
});
