/**
 * The contract of a document that is the text of a field (`parse: json` on a catalog line): JSON in a column, XML in a SOAP string. It is
 * disclosed by the catalog lines below, with the programs of its record.
 */
import type { DisclosureLimits, Matcher, Program, Segment } from '../formats/format.ts';

export interface InnerFormat {
  readonly name: string;
  /**
   * @param matcher its `root` is the state of the field, so that members of the document are steps from there
   * @returns null: the text is not such a document, or nothing of it may be released
   */
  disclose(text: string, matcher: Matcher, program: Program): readonly Segment[] | null;
}

/** limit of documents within documents */
export const MAX_NESTED = 4;

export const INNER_LIMITS: DisclosureLimits = {
  depth: 64,
  record_bytes: 4 * 1024 * 1024,
  record_members: 100_000,
  part_bytes: 0,
  batch_records: 1,
  hold_bytes: 0,
  group_bytes: 0,
  summary_paths: 0,
  idle_ms: 0,
};

export const textOf = (text: string, segments: readonly Segment[]): string =>
  segments.map((s) => ('text' in s ? s.text : text.slice(s.from, s.to))).join('');
