/** A process that opens or makes the named segment and stays. */
import { MiB, Segment } from "isthmus";

const segment = Segment.openOrCreate(process.argv[2] as string, { bytes: MiB });
setInterval(() => segment.participants(), 1000);
process.stdin.on("end", () => process.exit(0)).resume();
