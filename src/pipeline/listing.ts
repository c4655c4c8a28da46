/**
 * Lists that must not tell of withheld records by their counts, gaps or length: those that are narrowed by fields which records may hide,
 * and those that must hold groups of people. Decides how the upstream is asked for them.
 */
import { SluiceError } from '../errors.ts';
import { LISTS, WRITES } from '../model/actions.ts';
import { type Catalog, isPageOfOne } from '../model/catalog.ts';
import type { Layout, LayoutOf, Page } from '../model/disclosure.ts';
import type { ListRequest, Selected } from '../routing/index.ts';
import type { Access } from './plan.ts';

export interface Listing {
  /** what the answer tells must depend on the disclosed records alone */
  readonly guarded: boolean;
  /** the answer may be a page of what is found */
  readonly paged: boolean;
  /** the page that is cut from what is disclosed; null: the upstream has cut it */
  readonly page: Page | null;
  /** how the upstream is asked */
  readonly asked: ListRequest;
  /** how it is asked for what follows the first `received` records; null: there is no way; `none`: nothing follows */
  next(received: number): ListRequest | 'none' | null;
}

/** Whether a body is one record, unless a pointer with a wildcard leads to several. */
const isOfOne = (layout: Layout | null): boolean => layout === 'value' || layout === 'single';

const NOTHING_MORE = (): null => null;

/** @throws SluiceError `narrowed_page_refused`, which depends on nothing but the request */
export function listingOf(
  selected: Selected,
  catalog: Catalog,
  { decision, filter, provenSubject }: Pick<Access, 'decision' | 'filter' | 'provenSubject'>,
  layoutOf: LayoutOf,
): Listing {
  const narrowed = selected.queryFields.length > 0;
  const grouped = (decision.obligations.min_group_size ?? 1) > 1;
  const several = mayHaveSeveral(selected, layoutOf);
  const limited = filter !== null || provenSubject !== null;
  const guarded = narrowed || grouped || (limited && several);
  const asked: ListRequest = { target: selected.upstreamTarget, body: null };
  const unpaged: Listing = { guarded, paged: true, page: null, asked, next: NOTHING_MORE };
  if (narrowed && isPageOfOne(catalog, selected.route.config, layoutOf))
    throw new SluiceError(
      'narrowed_page_refused',
      'The request narrows a list whose page is one record to the catalog, about everybody on it: a refusal would tell that somebody was found who is withheld. Let the route say where the records are (records).',
    );
  // A stream has no pages.
  if (!guarded || !several || layoutOf(selected.route.response.format) === 'events') return unpaged;
  const paging = selected.paging();
  const { paged } = paging;
  // The caller has chosen none of the records, so that gaps tell only how many others there are.
  if (!narrowed && !grouped) return { ...unpaged, paged };
  if (paging.narrowed === 'as_it_is') return { ...unpaged, paged };
  const alike = isAlike(catalog);
  if (paging.narrowed === 'whole') {
    // No page was asked for, so the answer must be the whole list.
    const whole: Page = { offset: 0, limit: null, fetch: paging.most ?? Number.POSITIVE_INFINITY };
    return { ...unpaged, paged, page: narrowed && !alike ? whole : null };
  }
  if ('refused' in paging.narrowed) {
    if (narrowed && !alike) throw new SluiceError('narrowed_page_refused', paging.narrowed.refused);
    return unpaged;
  }
  const { first, next, ...page } = paging.narrowed;
  return { guarded, paged, page, asked: first, next };
}

/** Whether no record has a data subject or attributes: then the policy withholds all of them or none. */
export const isAlike = ({ data_subject, attributes, variants }: Catalog): boolean =>
  variants === undefined && data_subject.length === 0 && Object.keys(attributes).length === 0;

/**
 * Whether the answer may hold several records: a search, an export, or a read whose rows, lines or elements are records or whose format is
 * known only when the answer comes.
 */
function mayHaveSeveral({ action, route: { records, response } }: Selected, layoutOf: LayoutOf): boolean {
  if (LISTS.has(action) || (records !== null && !leadsToOne(records))) return true;
  return !WRITES.has(action) && !isOfOne(layoutOf(response.format));
}

/**
 * Whether a request reserves one record of its quotas: then its answer ends after one. A read whose format is known only when the answer comes
 * is taken for one of a single record.
 */
export const isForOne = (selected: Selected, layoutOf: LayoutOf): boolean =>
  !mayHaveSeveral(selected, selected.route.response.format === null ? ALWAYS_ONE : layoutOf);

const ALWAYS_ONE: LayoutOf = () => 'value';

/** Whether a pointer has no wildcard and no selector, so that it leads to one place in JSON. In XML elements may be repeated. */
export const leadsToOne = (records: string): boolean => !/\/(\*(\/|$)|\[)/.test(records);
