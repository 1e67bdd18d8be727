/**
 * On a busy machine an end may get no core for as long as a run lasts. Then the run says nothing about anybody's speed, and nothing
 * about what was sent: it is *disturbed*. The benchmark tries again, says how often, and goes on. A payload that is wrong is
 * something else: that fails.
 */

/** Exit code of an end, or of a native twin, whose run was disturbed. bench/native/pair.hpp has the same number. */
export const DISTURBED_CODE = 3;

export class Disturbed extends Error {}

/** Whether an end gave up because another one did not come in time. */
export function isDisturbance(problem: unknown): problem is Error {
  if (problem instanceof Disturbed) return true;
  return problem instanceof Error && "code" in problem && problem.code === "TIMED_OUT";
}

/** What a process said last, without the mark of a disturbance. */
export function lastLine(text: string): string {
  return (text.trim().split("\n").at(-1) ?? "").replace(/^disturbed: /, "");
}
