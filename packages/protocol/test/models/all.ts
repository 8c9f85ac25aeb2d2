// Every model, by the name of its framing's file: what the tests and `pnpm fuzz --framing <name>`
// run on.
import * as cobs from "./cobs.ts";
import * as contentLength from "./content-length.ts";
import * as delimited from "./delimited.ts";
import * as dotStuffed from "./dot-stuffed.ts";
import * as fixedLength from "./fixed-length.ts";
import * as jsonSequence from "./json-sequence.ts";
import * as lengthPrefixed from "./length-prefixed.ts";
import * as lines from "./lines.ts";
import * as mllp from "./mllp.ts";
import type { Model } from "./model.ts";
import * as netstring from "./netstring.ts";
import * as octetCounted from "./octet-counted.ts";
import * as slip from "./slip.ts";
import * as varintPrefixed from "./varint-prefixed.ts";

export const modelsByFraming: Readonly<Record<string, readonly Model[]>> = {
  cobs: cobs.models,
  contentLength: contentLength.models,
  delimited: delimited.models,
  dotStuffed: dotStuffed.models,
  fixedLength: fixedLength.models,
  jsonSequence: jsonSequence.models,
  lengthPrefixed: lengthPrefixed.models,
  lines: lines.models,
  mllp: mllp.models,
  netstring: netstring.models,
  octetCounted: octetCounted.models,
  slip: slip.models,
  varintPrefixed: varintPrefixed.models,
};
