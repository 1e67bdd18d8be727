/** An option that is not known is refused, with the nearest one that is. */
import { MiB, Segment } from "isthmus";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("an option that is not known is refused with the nearest name", () => {
  const create = (): unknown => Segment.createAnonymous({ bytes: MiB, participant: 64 } as never);
  assert.throws(create, (error: Error) => error instanceof TypeError && /participants/.test(error.message));
  using segment = Segment.createAnonymous({ bytes: MiB });
  assert.throws(() => segment.lock("lock").acquireSync("shared", { timeout: 1 } as never), /timeoutMs/);
});

test.run();
