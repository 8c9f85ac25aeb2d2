/**
 * JSON-RPC's messages as texts, and the values in them.
 * Owns the order of the members, and which ids can be answered. Must not know contracts.
 *
 *     {"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}    a request; a notification has no id
 *     {"jsonrpc":"2.0","id":1,"result":3}                       a response
 *     {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}
 *
 * Source: JSON-RPC 2.0 §4 and §5.
 *
 * @module
 */

/** What tells an answer's request: chosen by who asked. */
export type Id = number | string | null;

/**
 * True if a value is an id that can be given back as it came: `JSON.parse` has rounded what is
 * above 2^53.
 */
export function isId(value: unknown): value is Id {
  return (
    value === null ||
    typeof value === "string" ||
    (typeof value === "number" && Math.abs(value) <= Number.MAX_SAFE_INTEGER)
  );
}

/** A request; `method` and `params` are JSON texts, `params` may be "". */
export function requestText(id: number, method: string, params: string): string {
  const rest = params === "" ? "" : `,"params":${params}`;
  return `{"jsonrpc":"2.0","id":${String(id)},"method":${method}${rest}}`;
}

/** A notification; see {@link requestText}. */
export function notificationText(method: string, params: string): string {
  return `{"jsonrpc":"2.0","method":${method}${params === "" ? "" : `,"params":${params}`}}`;
}

/**
 * The notification that cancels a request: its method, and the member of its params that is the
 * request's id.
 */
export interface CancelMethod {
  readonly method: string;
  readonly id: string;
}

/** That notification, for one request. */
export function cancelText({ method, id: member }: CancelMethod, id: number): string {
  return notificationText(JSON.stringify(method), `{${JSON.stringify(member)}:${String(id)}}`);
}

/** A response with a result, which is a JSON text. */
export function resultText(id: Id, result: string): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
}

/** A response with an error object, which is a JSON text. */
export function errorText(id: Id, error: string): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${error}}`;
}
