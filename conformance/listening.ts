// A program of the tests: listens on the address that it is given, says so, and stays until it is
// killed.
import process from "node:process";
import { createServer } from "@hawser/server";
import { formatAddress } from "@hawser/transport";
import { chat, echo } from "./conversation.ts";

const server = createServer(chat, { message: echo });
console.log(`listening on ${formatAddress(await server.listen(process.argv[2] ?? ""))}`);
