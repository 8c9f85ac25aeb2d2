/** `node:net` with `split2`, as its README shows: one write per line. */
import net from "node:net";
import split2 from "split2";
import { announce, listenOn } from "./serving.ts";

const server = net.createServer({ noDelay: true }, (socket) => {
  const split = socket.pipe(split2());
  split.on("data", (line: string) => {
    if (!socket.write(`${line}\n`)) split.pause();
  });
  socket.on("drain", () => split.resume());
  socket.on("error", () => socket.destroy());
});
announce(await listenOn(server));
