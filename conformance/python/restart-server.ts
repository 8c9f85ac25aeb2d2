// A server of the trial that is killed and started anew: node restart-server.ts PORT FOLDER
//
// What it handles it writes into FOLDER/journal, and what it has handled well into FOLDER/store, which
// a new process reads: an event whose identity is there is not handled again.

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Random } from "@hawser/protocol/testing";
import { trialServer } from "./trial-contract.ts";

const [port = "0", folder = ""] = process.argv.slice(2);
const journal = join(folder, "journal");
const store = join(folder, "store");
const known = new Set(existsSync(store) ? readFileSync(store, "utf8").split("\n") : []);

const server = trialServer(
  new Random(Number(port)),
  {
    deduplicate: {
      seen(id) {
        const isKnown = known.has(id);
        if (isKnown) appendFileSync(journal, `duplicate ${id}\n`);
        return isKnown;
      },
      remember(id) {
        known.add(id);
        appendFileSync(store, `${id}\n`);
      },
    },
  },
  ({ key, n }, id) => {
    const again = id !== null && known.has(id) ? " again" : "";
    appendFileSync(journal, `handled ${key} ${String(n)}${again}\n`);
  },
);
const bound = await server.listen(`tcp://127.0.0.1:${port}`);
console.log(`listening on ${"port" in bound ? String(bound.port) : ""}`);
