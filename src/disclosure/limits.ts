/** Default limits of the disclosure stage. */
import type { DisclosureLimits } from './formats/format.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

export const DEFAULT_LIMITS: DisclosureLimits = {
  depth: 512,
  record_bytes: 4 * MiB,
  record_members: 100_000,
  part_bytes: 1 * MiB,
  batch_records: 1024,
  hold_bytes: 1 * MiB,
  group_bytes: 8 * MiB,
  summary_paths: 256,
  idle_ms: 1000,
};
