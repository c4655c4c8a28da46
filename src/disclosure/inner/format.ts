/**
 * A document that stands as text in a field of another (`parse: json` on a line of a catalog): JSON in a column, XML in a SOAP string. It is
 * disclosed by the lines below, with the programs of the record it stands in.
 */
import type { DisclosureLimits, Matcher, Program, Segment } from '../formats/format.ts';

export interface InnerFormat {
  readonly name: string;
  /**
   * @param matcher begins (`begin`, `root`) where the field's own line is: what stands in the document is a step from there
   * @returns null: the text is not such a document, or is one that nothing may be left of
   */
  disclose(text: string, matcher: Matcher, program: Program): readonly Segment[] | null;
}

/** documents within documents: more than anybody writes on purpose */
export const MOST_NESTED = 4;

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
