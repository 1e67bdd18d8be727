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

test("what is no object of options is refused, also when it names none", () => {
  using segment = Segment.createAnonymous({ bytes: MiB });
  const event = segment.event("event", { signaled: true });
  for (const given of [[], new AbortController().signal, new Map(), new Date(), new Uint8Array(0), null, 5]) {
    assert.throws(
      () => event.waitSync(given as never),
      (error: Error) => error instanceof TypeError && /options must be an object/.test(error.message),
      String(given),
    );
  }
  for (const given of [undefined, {}, Object.create(null)]) event.waitSync(given as never);
});

test.run();
