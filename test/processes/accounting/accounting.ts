/**
 * Did every record arrive that was committed, in order, and how often? Producers and consumers die at any moment; what they
 * had done stands in files that they write after each step, which survive them.
 *
 * A record is (epoch, number): epochs count the producers, numbers the records of one. A producer's ledger says how many it
 * had committed at least; a consumer's log has every record it got.
 */

export interface Got {
  epoch: number;
  number: number;
}

export interface Account {
  /** Different records that arrived. */
  records: number;
  /** Records that arrived again after the death of a consumer. */
  redelivered: number;
  /** What must not be. */
  problems: string[];
}

export interface Rules {
  /** Records that one call can commit before the ledger knows. */
  batch: number;
  /** Records that may arrive again after a consumer's death. */
  redeliveredMax: number;
}

/** `committed[epoch]` is the ledger of that producer; `logs` are those of the consumers, in the order of their lives. */
export function settle(committed: readonly number[], logs: readonly Got[][], rules: Rules): Account {
  const account: Account = { records: 0, redelivered: 0, problems: [] };
  /** Every record that has arrived, in order, without repetitions. */
  const stream: Got[] = [];
  const places = new Map<string, number>();
  logs.forEach((log, life) => {
    let place = -1;
    for (const [index, got] of log.entries()) {
      const key = `${got.epoch}:${got.number}`;
      const known = places.get(key);
      if (index === 0 && known !== undefined) {
        const again = stream.length - known;
        account.redelivered += again;
        if (again > rules.redeliveredMax)
          account.problems.push(`consumer ${life} got ${again} records again`);
      } else if (index > 0 && known !== undefined && known !== place + 1) {
        account.problems.push(`consumer ${life} got ${key} out of order`);
      } else if (known === undefined && index > 0 && place !== stream.length - 1) {
        account.problems.push(`consumer ${life} left out what was delivered again before ${key}`);
      }
      if (known === undefined) {
        follow(stream[stream.length - 1], got, account.problems);
        places.set(key, stream.length);
        stream.push(got);
      }
      place = known ?? stream.length - 1;
    }
  });
  account.records = stream.length;
  count(committed, stream, rules.batch, account.problems);
  return account;
}

/** A new record has the next number of its epoch, or the first of a later one. */
function follow(before: Got | undefined, got: Got, problems: string[]): void {
  if (before && got.epoch === before.epoch && got.number === before.number + 1) return;
  if ((!before || got.epoch > before.epoch) && got.number === 0) return;
  const after = before ? `${before.epoch}:${before.number}` : "the start";
  problems.push(`${got.epoch}:${got.number} came after ${after}`);
}

function count(
  committed: readonly number[],
  stream: readonly Got[],
  batch: number,
  problems: string[],
): void {
  const arrived = new Map<number, number>();
  for (const { epoch } of stream) arrived.set(epoch, (arrived.get(epoch) ?? 0) + 1);
  committed.forEach((least, epoch) => {
    const records = arrived.get(epoch) ?? 0;
    if (records < least)
      problems.push(`of producer ${epoch}, ${least} records were committed and ${records} arrived`);
    if (records > least + batch)
      problems.push(`of producer ${epoch}, ${records} records arrived, only ${least} were sent`);
  });
}
