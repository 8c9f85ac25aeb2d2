/**
 * What tests of networked programs need: a clock that is moved by hand, and a proxy that does what
 * networks do.
 *
 * @module
 */
export { faultProxy } from "./fault-proxy.ts";
export { ManualClock } from "./manual-clock.ts";
export type { Fault, FaultProxy, FaultProxyOptions, Faults } from "./fault-proxy.ts";
