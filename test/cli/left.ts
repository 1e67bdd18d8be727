/** Makes the named segment and goes. */
import { MiB, Segment } from "isthmus";

Segment.create(process.argv[2] as string, { bytes: MiB }).close();
