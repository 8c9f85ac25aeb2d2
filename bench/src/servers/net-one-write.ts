/**
 * `node:net`, framed by a 32-bit length as a careful program does it by hand: one `socket.write`
 * for each message.
 */
import net from "node:net";
import { announce, listenOn, servingOptions } from "./serving.ts";

const { mode, burst } = servingOptions();
const sockets = new Set<net.Socket>();

const server = net.createServer({ noDelay: true }, (socket) => {
  sockets.add(socket);
  let kept: Buffer[] = [];
  let keptBytes = 0;
  let wantedBytes = 4;
  socket.on("data", (chunk: Buffer) => {
    kept.push(chunk);
    keptBytes += chunk.length;
    if (keptBytes < wantedBytes) return;
    const bytes = kept.length === 1 ? chunk : Buffer.concat(kept);
    let at = 0;
    wantedBytes = 4;
    while (bytes.length - at >= 4) {
      const next = at + 4 + bytes.readUInt32BE(at);
      if (next > bytes.length) {
        wantedBytes = next - at;
        break;
      }
      message(socket, bytes.subarray(at, next));
      at = next;
    }
    kept = at < bytes.length ? [bytes.subarray(at)] : [];
    keptBytes = bytes.length - at;
  });
  socket.on("drain", () => socket.resume());
  socket.on("error", () => socket.destroy());
  socket.on("close", () => sockets.delete(socket));
});
announce(await listenOn(server));

function message(socket: net.Socket, frame: Buffer): void {
  if (mode === "echo") {
    if (!socket.write(frame)) socket.pause();
    return;
  }
  for (let i = 0; i < burst; i++) for (const each of sockets) each.write(frame);
}
