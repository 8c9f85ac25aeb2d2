// What .github says is true and asks for little: commands name scripts and files that exist,
// actions are pinned by commit, and a job has the permissions that it is listed with here, no more.

import assert from "node:assert/strict";
import { accessSync, constants, globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, it } from "vitest";
import { parse } from "yaml";

interface Step {
  readonly run?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string | number | boolean>>;
}

interface Job {
  readonly uses?: string;
  readonly needs?: string | readonly string[];
  readonly steps?: readonly Step[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly "timeout-minutes"?: number;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const root = resolve(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const manifest = JSON.parse(read("package.json")) as {
  readonly scripts: Readonly<Record<string, string>>;
  readonly devEngines: { readonly packageManager: { readonly version: string } };
};

const readOnly = { contents: "read" };
/** What a job may do beyond reading the repository. */
const granted: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "release.yml npm": { contents: "write", "pull-requests": "write", "id-token": "write" },
  "release.yml jsr": { contents: "read", "id-token": "write" },
};

const workflows = globSync(".github/workflows/*.yml", { cwd: root })
  .sort()
  .map((path) => {
    const text = read(path);
    const name = path.replace(/^.*[\\/]/, "");
    return { name, text, workflow: parse(text) as Workflow };
  });

/** The command lines of a job: its `run:`, and what it has actions run. */
function commandsOf({ steps = [] }: Job): string[] {
  return steps
    .flatMap((step) => [step.run, step.with?.["version-script"], step.with?.["publish-script"]])
    .filter((command) => command !== undefined)
    .flatMap((command) => String(command).split("\n"));
}

describe("workflows", () => {
  it("there is one for changes and one for releases", () => {
    assert.deepEqual(
      workflows.map(({ name }) => name),
      ["ci.yml", "release.yml"],
    );
  });

  for (const { name, text, workflow } of workflows) {
    it(`${name} reads the repository, and no more, unless a job is listed here`, () => {
      assert.deepEqual(workflow.permissions, readOnly);
      for (const [id, job] of Object.entries(workflow.jobs))
        assert.deepEqual(job.permissions, granted[`${name} ${id}`], id);
    });

    it(`${name} has no stored secret, and nothing of strangers with its permissions`, () => {
      assert.doesNotMatch(text, /\bsecrets\./);
      assert(!("pull_request_target" in workflow.on));
      for (const job of Object.values(workflow.jobs))
        for (const command of commandsOf(job)) assert.doesNotMatch(command, /\$\{\{/);
    });

    it(`${name} pins each action by commit, with its version beside it`, () => {
      for (const [line, action = ""] of text.matchAll(/^.*uses: (\S+).*$/gm)) {
        if (action.startsWith("./")) read(action);
        else assert.match(line, /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
      }
    });

    it(`${name} ends a job that hangs, and leaves no credentials in the checkout`, () => {
      for (const [id, job] of Object.entries(workflow.jobs)) {
        if (job.uses !== undefined) continue;
        assert(Number(job["timeout-minutes"]) <= 60, id);
        for (const { uses, with: inputs } of job.steps ?? [])
          if (uses?.startsWith("actions/checkout@") === true)
            assert.equal(inputs?.["persist-credentials"], false, id);
      }
    });

    it(`${name} calls scripts of package.json that exist, by the pinned pnpm`, () => {
      const { version } = manifest.devEngines.packageManager;
      for (const job of Object.values(workflow.jobs)) {
        for (const command of commandsOf(job)) {
          const calls = [...command.matchAll(/npx -y pnpm@(\S+) (\S+)/g)];
          assert.equal(calls.length, [...command.matchAll(/\bpnpm\b/g)].length, command);
          for (const [, pnpm, script = ""] of calls) {
            assert.equal(pnpm, version);
            assert(script === "install" || script in manifest.scripts, command);
          }
        }
      }
    });

    it(`${name} calls files that exist and can be executed`, () => {
      for (const job of Object.values(workflow.jobs))
        for (const command of commandsOf(job))
          for (const [path] of command.matchAll(/(?<=^|\s)(?:\.ci|scripts)\/\S+/g))
            accessSync(join(root, path), constants.X_OK);
    });
  }

  it("nothing is published before ci.yml has passed", () => {
    const jobs = workflows.find(({ name }) => name === "release.yml")?.workflow.jobs ?? {};
    assert.equal(jobs["ci"]?.uses, "./.github/workflows/ci.yml");
    assert.equal(jobs["npm"]?.needs, "ci");
    assert.equal(jobs["jsr"]?.needs, "npm");
  });
});

describe("issue templates", () => {
  for (const path of globSync(".github/ISSUE_TEMPLATE/*.yml", { cwd: root }).sort()) {
    if (path.endsWith("config.yml")) continue;
    it(`${path.replace(/^.*[\\/]/, "")} is a form whose fields have ids and labels`, () => {
      const form = parse(read(path)) as {
        readonly name: string;
        readonly description: string;
        readonly body: readonly {
          readonly type: string;
          readonly id?: string;
          readonly attributes: { readonly label?: string };
        }[];
      };
      assert(form.name !== "" && form.description !== "");
      const fields = form.body.filter(({ type }) => type !== "markdown");
      assert.equal(new Set(fields.map(({ id }) => id)).size, fields.length);
      for (const { type, id, attributes } of fields) {
        assert(["input", "textarea", "dropdown", "checkboxes"].includes(type), type);
        assert(id !== undefined && attributes.label !== undefined);
      }
    });
  }
});
