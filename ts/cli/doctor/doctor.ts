/** `isthmus doctor`: checks whether Isthmus works on this machine, and says what to do about each problem. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { loadNative, shimOrigin } from "../../host/native.cjs";
import { type Command, DONE, FAILED } from "../command.js";
import { json, line, paint } from "../print.js";
import { type Finding, ok, problem } from "./finding.js";
import { limitFindings } from "./limits.js";
import { systemFindings } from "./system.js";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

const NODE_MAJOR_MIN = 18;

function runtimeFinding(): Finding {
  const { bun, deno, node, v8 } = process.versions as Record<string, string | undefined>;
  const name = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`;
  const found = `${name}${v8 && !bun ? `, V8 ${v8}` : ""}, Node-API ${process.versions.napi ?? "unknown"}`;
  if (!bun && !deno && Number.parseInt(node ?? "0", 10) < NODE_MAJOR_MIN) {
    return problem("runtime", found, `use Node ${NODE_MAJOR_MIN} or newer`);
  }
  return ok("runtime", found);
}

function packageFinding(): Finding {
  const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  return ok("package", `isthmus ${version}, in ${root}`);
}

/** Which shim is used, and why that one. */
function binaryFinding(): Finding {
  try {
    loadNative();
    return ok("native part", shimOrigin());
  } catch (error) {
    return problem(
      "native part",
      (error as Error).message,
      "see docs/platforms.md for the platforms of this release, and docs/bundling.md for where it is looked for",
    );
  }
}

/** The checks that need the native part. They are loaded here, because loading fails where there is no native part. */
async function liveFindings(): Promise<Finding[]> {
  try {
    const { memoryFindings } = await import("./memory.js");
    const { trialFindings } = await import("./trial.js");
    return [...memoryFindings(), ...(await trialFindings())];
  } catch (error) {
    return [
      problem(
        "loading",
        (error as Error).message,
        "reinstall the package; its prebuilds folder must be complete",
      ),
    ];
  }
}

const marks: Record<Finding["status"], string> = {
  ok: paint.green("ok     "),
  warning: paint.yellow("warning"),
  problem: paint.red("problem"),
};

function show(findings: Finding[]): void {
  const widest = Math.max(...findings.map(({ check }) => check.length));
  for (const { check, status, found, advice } of findings) {
    line(`${marks[status]}  ${check.padEnd(widest)}  ${found}`);
    if (advice) line(`${" ".repeat(widest + 11)}${paint.bold("→")} ${advice}`);
  }
}

export const doctor: Command = {
  help: [
    "Checks versions, native part, kernel, container, systemd's RemoveIPC, the limits of process and cgroup, location and",
    "size of shared memory, and leftover segments. Then it creates a segment, maps it, sends a record and waits for it.",
    "The exit code is 1 if a check finds a problem; warnings do not change it.",
  ].join("\n"),
  async run({ json: asJson }) {
    const findings = [
      packageFinding(),
      runtimeFinding(),
      binaryFinding(),
      ...systemFindings(),
      ...limitFindings(),
      ...(await liveFindings()),
    ];
    const healthy = findings.every(({ status }) => status !== "problem");
    if (asJson) json({ healthy, findings });
    else show(findings);
    return healthy ? DONE : FAILED;
  },
};
