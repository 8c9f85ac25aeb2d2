import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../src/mod.ts";

describe("parseAddress()", () => {
  it.each([
    ["tcp://localhost:1234", { transport: "tcp", host: "localhost", port: 1234 }],
    ["tcp://127.0.0.1:0", { transport: "tcp", host: "127.0.0.1", port: 0 }],
    ["tcp://[::1]:65535", { transport: "tcp", host: "::1", port: 65_535 }],
    ["tls://example.org:443/", { transport: "tls", host: "example.org", port: 443 }],
    ["unix:/run/desk.sock", { transport: "ipc", path: "/run/desk.sock" }],
    ["unix:///run/desk.sock", { transport: "ipc", path: "/run/desk.sock" }],
    ["unix:desk.sock", { transport: "ipc", path: "desk.sock" }],
    ["unix:@desk", { transport: "ipc", path: "\0desk" }],
    ["unix:/tmp/a b?c#d%20é", { transport: "ipc", path: "/tmp/a b?c#d%20é" }],
    ["tcp://[fe80::1%eth0]:1", { transport: "tcp", host: "fe80::1%eth0", port: 1 }],
    ["tcp://[fe80::1%br-0a1b]:1", { transport: "tcp", host: "fe80::1%br-0a1b", port: 1 }],
    ["tcp://[fe80::1%eth0.100]:1", { transport: "tcp", host: "fe80::1%eth0.100", port: 1 }],
    ["tcp://[fe80::1%25]:1", { transport: "tcp", host: "fe80::1%25", port: 1 }],
    ["fd:3", { transport: "fd", fd: 3 }],
  ])("reads %s, and formatAddress() writes it so that it reads the same", (url, address) => {
    expect(parseAddress(url)).toEqual(address);
    expect(parseAddress(formatAddress(parseAddress(url)))).toEqual(address);
  });

  it("reads the options of node:net, and its own result", () => {
    expect(parseAddress({ port: 7 })).toEqual({ transport: "tcp", host: "localhost", port: 7 });
    expect(parseAddress({ port: 7, host: "::1" })).toEqual({
      transport: "tcp",
      host: "::1",
      port: 7,
    });
    expect(parseAddress({ path: "/a" })).toEqual({ transport: "ipc", path: "/a" });
    expect(parseAddress({ fd: 4 })).toEqual({ transport: "fd", fd: 4 });
    expect(parseAddress({ transport: "tls", host: "a", port: 1 })).toEqual({
      transport: "tls",
      host: "a",
      port: 1,
    });
    expect(parseAddress(new URL("tcp://localhost:1234"))).toEqual(
      parseAddress("tcp://localhost:1234"),
    );
  });

  it.each([
    "unix:/tmp/a b",
    "unix:/tmp/é/ü.sock",
    "unix:/tmp/a?x#y",
    "unix:/tmp/100%",
    'unix:/tmp/a"<>`{}|',
    "unix:@a b",
    "unix:desk.sock",
    "tcp://h:1",
    "tls://[::1]:2",
    "fd:3",
    "pipe:x",
  ])("reads a URL object as the string %j that it was made from", (url) => {
    expect(parseAddress(new URL(url))).toEqual(parseAddress(url));
  });

  it("reads a zone as RFC 6874 writes it", () => {
    expect(parseAddress("tcp://[fe80::1%25eth0]:1")).toEqual({
      transport: "tcp",
      host: "fe80::1%eth0",
      port: 1,
    });
    expect(parseAddress("tcp://[fe80::1%25br-1]:1")).toEqual({
      transport: "tcp",
      host: "fe80::1%br-1",
      port: 1,
    });
  });

  it("says what else it was given", () => {
    expect(() => parseAddress(4444 as never)).toThrow(
      "Cannot read address 4444: it is tcp://host:port",
    );
    expect(() => parseAddress(Promise.resolve() as never)).toThrow(
      "Cannot read address a promise: await it first",
    );
  });

  it("puts pipe:name into a directory of the user's, and keeps the name", () => {
    const address = parseAddress("pipe:desk-1");
    expect(address).toMatchObject({
      transport: "ipc",
      pipe: "desk-1",
      path: expect.stringMatching(/desk-1/) as unknown,
    });
    expect(formatAddress(address)).toBe("pipe:desk-1");
    expect(parseAddress(address)).toEqual(address);
  });

  it.each([
    ["", "tcp://host:port"],
    ["localhost:1234", "tcp://host:port"],
    ["http://localhost:80", "tcp://host:port"],
    ["tcp://localhost", "the port is missing"],
    ["tcp://:1234", "tcp://host:port"],
    ["tcp://a b:1", "tcp://host:port"],
    ["tcp://user@host:1", "tcp://host:port"],
    ["tcp://::1:80", "tcp://host:port"],
    ["tcp://[fe80::1%]:80", "tcp://host:port"],
    ["tcp://[fe80::1%a/b]:80", "tcp://host:port"],
    ["tcp://[fe80::1%a b]:80", "tcp://host:port"],
    ["tcp://[]:80", "tcp://host:port"],
    ["tcp://localhost:65536", "65535"],
    ["tcp://localhost:99999", "65535"],
    ["tcp://localhost:123456", "tcp://host:port"],
    ["tcp://localhost:-1", "tcp://host:port"],
    ["tcp://localhost:0x10", "tcp://host:port"],
    ["unix:", "path is missing"],
    ["unix:@", "path is missing"],
    ["pipe:", "letters"],
    ["pipe:../x", "letters"],
    ["pipe:.x", "letters"],
    ["fd:x", "whole number"],
  ])("refuses %j and says what it takes", (url, hint) => {
    expect(() => parseAddress(url)).toThrow(TypeError);
    expect(() => parseAddress(url)).toThrow(hint);
  });

  it.each([
    [{}],
    [{ port: 1.5 }],
    [{ port: "80" }],
    [{ port: 1, host: "" }],
    [{ path: "" }],
    [{ fd: -1 }],
    [null],
    [undefined],
    [7],
  ])("refuses %j", (value) => {
    expect(() => parseAddress(value as never)).toThrow(TypeError);
  });

  it("cuts a long value in its message", () => {
    expect(() => parseAddress("x".repeat(10_000))).toThrow(/^.{1,300}$/);
  });
});
