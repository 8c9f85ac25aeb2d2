/**
 * The server program of `bench:sessions`: one system's.
 *
 *     server.ts FILE VARIANT        prints "listening PORT"; ends when its stdin does
 */
import process from "node:process";
import { announce } from "../servers/serving.ts";
import type { Peer } from "./peer.ts";

const [file = "", variant = ""] = process.argv.slice(2);
const peer = (await import(`./${file}`)) as Peer; // systems.ts names files that are
announce(await peer.serve(variant));
