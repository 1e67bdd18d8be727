/** What a check of `isthmus doctor` found. */
export interface Finding {
  check: string;
  status: "ok" | "warning" | "problem";
  found: string;
  /** What to do; absent when all is well. */
  advice?: string;
}

export function ok(check: string, found: string): Finding {
  return { check, status: "ok", found };
}

export function warning(check: string, found: string, advice: string): Finding {
  return { check, status: "warning", found, advice };
}

export function problem(check: string, found: string, advice: string): Finding {
  return { check, status: "problem", found, advice };
}
