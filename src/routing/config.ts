/** What `loadConfig` checks of the routes besides their schema: templates, patterns, conditions, ambiguity. */
export { compileRoutes, type RouteFault } from './compile.ts';
import { languageName } from './language-names.ts';
import { isPagingName } from './paging.ts';

/** Whether a request header says which records are wanted: `X-Sort`, `X-Filter`, `X-Page-Size`, `Prefer: odata.maxpagesize=1`. */
export const narrowsByHeader = (header: string): boolean => {
  const name = header.replace(/^x-/i, '');
  return languageName(name) === 'search' || isPagingName(name) || /^prefer$/i.test(name);
};
