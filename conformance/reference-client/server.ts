// A server of the contract `conformance`, for `script.py`: node server.ts [tcp://127.0.0.1:4000 |
// unix:PATH]; deno run -A and bun do as well.

import process from "node:process";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { conformance, conformanceHandlers } from "../session-contracts.ts";

const server = createServer(conformance, conformanceHandlers);
console.log(formatAddress(await server.listen(process.argv[2] ?? "tcp://127.0.0.1:4000")));
