// A socket file that nobody listens on, as a killed program leaves it.

import { linkSync } from "node:fs";
import net from "node:net";

/** Bind another name of the file; the server's close removes that name alone. */
export async function leaveStale(path: string): Promise<void> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.made`, resolve));
  linkSync(`${path}.made`, path);
  await new Promise((resolve) => server.close(resolve));
}
