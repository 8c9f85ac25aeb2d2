/** Peers that ship no types: as much of them as is used. */
declare module "binary-split" {
  export default function binarySplit(separator?: string): NodeJS.ReadWriteStream;
}
declare module "length-prefixed-stream" {
  export function decode(): NodeJS.ReadWriteStream;
}
