/** Tries the basic operations: create, map, send, wait. */
import process from "node:process";
import { MiB, Segment } from "../../index.js";
import { type Finding, ok, problem } from "./finding.js";

const TRIAL_MS_MAX = 5000;

function failed(check: string, error: unknown): Finding {
  const { message } = error as Error;
  return problem(
    check,
    message,
    "see the findings above; if they show no problem, report this with the output of isthmus doctor --json",
  );
}

async function exchange(segment: Segment): Promise<void> {
  const ring = segment.ring("trial", { bytes: 4096 });
  using producer = ring.producer();
  using consumer = ring.consumer();
  const waiting = consumer.receive({ timeoutMs: TRIAL_MS_MAX });
  // The wait begins before the record is sent, so only the doorbell can end it in time.
  setImmediate(() => producer.trySend(new Uint8Array([1, 2, 3])));
  const received = await waiting;
  if (`${received}` !== "1,2,3") throw new Error(`sent 1,2,3 and received ${received}`);
}

export async function trialFindings(): Promise<Finding[]> {
  const findings: Finding[] = [];
  let segment: Segment | undefined;
  try {
    segment = Segment.create(`isthmus-doctor-${process.pid}`, { bytes: MiB, replace: true });
    findings.push(ok("create and map", `a segment of 1 MiB, generation ${segment.generation}`));
    const { abiVersion, fingerprint } = segment.header;
    const layout = fingerprint.toString(16).padStart(8, "0");
    findings.push(
      ok(
        "protocol",
        `version ${abiVersion}, layout ${layout}: processes with another version or layout are refused`,
      ),
    );
    await exchange(segment);
    findings.push(ok("send and wait", "a record woke the consumer that waited for it"));
  } catch (error) {
    findings.push(failed(segment ? "send and wait" : "create and map", error));
  } finally {
    segment?.unlink();
    segment?.close();
  }
  return findings;
}
