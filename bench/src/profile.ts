/**
 * Where the time of a profiled server goes: the functions of Node's CPU profile, by their own time,
 * while it was measured.
 */
import { readFileSync } from "node:fs";
import { align } from "./report.ts";

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
  readonly children?: readonly number[];
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

/**
 * The `rows` functions with the most time of their own in the last `ms` of the profile; idle time
 * left out.
 */
export function formatProfile(path: string, ms: number, rows: number): string {
  // Node wrote it
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(path, "utf8")) as CpuProfile;
  const names = namesOf(nodes);
  const spent = new Map<string, number>();
  let left = ms * 1_000;
  for (let index = samples.length - 1; index >= 0 && left > 0; index--) {
    const name = names.get(samples[index] ?? 0) ?? "?";
    const delta = timeDeltas[index] ?? 0;
    spent.set(name, (spent.get(name) ?? 0) + delta);
    left -= delta;
  }
  spent.delete("(idle)");
  const total = [...spent.values()].reduce((sum, each) => sum + each, 0);
  const top = [...spent].sort(([, a], [, b]) => b - a).slice(0, rows);
  return align([
    ["function", "own time"],
    ...top.map(([name, each]) => [name, `${((each / total) * 100).toFixed(1)} %`]),
  ]);
}

/** A function without a file is the engine's: it is named with its caller. */
function namesOf(nodes: readonly ProfileNode[]): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  );
  return new Map(
    nodes.map((node) => {
      const caller = byId.get(parents.get(node.id) ?? 0);
      const ofTheEngine = node.callFrame.url === "" && !node.callFrame.functionName.startsWith("(");
      const anonymous = node.callFrame.functionName === "";
      return [
        node.id,
        (ofTheEngine || anonymous) && caller !== undefined
          ? `${nameOf(node)} <- ${nameOf(caller)}`
          : nameOf(node),
      ];
    }),
  );
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const file = url.split("/").slice(-1)[0] ?? "";
  const name = functionName === "" ? "(native)" : functionName;
  return file === "" ? name : `${name} ${file}:${lineNumber + 1}`;
}
