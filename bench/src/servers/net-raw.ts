/** Raw `node:net`: writes each chunk back. It frames nothing: the floor under every framing. */
import net from "node:net";
import { announce, listenOn } from "./serving.ts";

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on("data", (chunk) => {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on("drain", () => socket.resume());
  socket.on("error", () => socket.destroy());
});
announce(await listenOn(server));
