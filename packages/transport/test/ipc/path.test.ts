import { describe, expect, it } from "vitest";
import { checkPath } from "../../src/ipc/path.ts";

describe("checkPath()", () => {
  it.each(["C:\\desk.sock", "/run/desk.sock", "desk", "\\\\server\\pipe\\desk"])(
    "refuses %s on Windows, and advises pipe:name",
    (path) => {
      expect(() => {
        checkPath(path, "listen", "win32");
      }).toThrow(
        expect.objectContaining({
          code: "ADDRESS_UNAVAILABLE",
          message:
            "Cannot listen: Windows has pipes in place of Unix sockets; use pipe:name on both ends",
        }),
      );
    },
  );

  it.each(["\\\\.\\pipe\\desk", "\\\\?\\pipe\\desk"])("takes %s on Windows", (path) => {
    expect(() => {
      checkPath(path, "listen", "win32");
    }).not.toThrow();
  });
});
