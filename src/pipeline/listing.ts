/**
 * Whether an answer is a list that must not tell of withheld records by its counts, gaps or length, and how the upstream is asked for it so that
 * it does not: the list is narrowed by fields that the records may hide, or must hold groups of people.
 */
import { SluiceError } from '../errors.ts';
import { LISTS, WRITES } from '../model/actions.ts';
import type { Obligations } from '../model/answers.ts';
import type { Catalog } from '../model/catalog.ts';
import type { FormatName, Page } from '../model/disclosure.ts';
import type { Selected } from '../routing/index.ts';

export interface Listing {
  /** what the answer tells must depend on the disclosed records alone */
  readonly guarded: boolean;
  /** the answer may be a page of what is found */
  readonly paged: boolean;
  /** the page that is cut from what is disclosed; null: the upstream has cut it */
  readonly page: Page | null;
  /** path and query to ask the upstream for */
  readonly target: string;
}

/** No page was asked for: then the answer must be all of the list. */
const WHOLE: Page = { offset: 0, limit: null, fetch: Number.POSITIVE_INFINITY };

/** @throws SluiceError `narrowed_page_refused`, which depends on nothing but the request */
export function listingOf(
  selected: Selected,
  { data_subject, attributes, variants }: Catalog,
  { min_group_size }: Obligations,
): Listing {
  const narrowed = selected.queryFields.length > 0;
  const guarded = narrowed || (min_group_size ?? 1) > 1;
  const { upstreamTarget: target } = selected;
  if (!guarded || !mayHaveSeveral(selected)) return { guarded, paged: true, page: null, target };
  const paging = selected.paging();
  if (paging.narrowed === 'as_it_is') return { guarded, paged: paging.paged, page: null, target };
  // Where no record is about anybody all are answered alike: there are no gaps.
  const alike = variants === undefined && data_subject.length === 0 && Object.keys(attributes).length === 0;
  if (paging.narrowed === 'whole')
    return { guarded, paged: paging.paged, page: narrowed && !alike ? WHOLE : null, target };
  if ('refused' in paging.narrowed) {
    if (narrowed && !alike) throw new SluiceError('narrowed_page_refused', paging.narrowed.refused);
    return { guarded, paged: true, page: null, target };
  }
  return { guarded, paged: paging.paged, page: paging.narrowed, target: paging.narrowed.target };
}

/** Formats whose body is one record, unless a pointer with a wildcard leads to several. */
const OF_ONE: ReadonlySet<FormatName | null> = new Set<FormatName>(['json', 'form', 'whole']);

/**
 * Whether the answer may hold several records: that of a search or an export; and that of a read whose rows, lines or elements are records, or whose
 * format is known only once it is there.
 */
function mayHaveSeveral({ action, route: { records, response } }: Selected): boolean {
  if (LISTS.has(action) || (records !== null && !leadsToOne(records))) return true;
  return !WRITES.has(action) && !OF_ONE.has(response.format);
}

/** A pointer that no wildcard or selector makes lead to several places (of JSON: in XML a repeated element needs none). */
export const leadsToOne = (records: string): boolean => !/\/(\*(\/|$)|\[)/.test(records);
