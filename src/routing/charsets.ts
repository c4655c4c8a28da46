/** The charset of each route's requests: of the body, and of what is percent-encoded in the query. */
import { type CodecOf, type TextCodec, UTF8 } from './body/text.ts';
import type { MatchableRoute } from './compile.ts';
import { type Parameters, readQuery } from './query.ts';

export interface Charsets {
  of(route: MatchableRoute): TextCodec;
  /** does a label name the charset of the route? */
  is(route: MatchableRoute): (label: string) => boolean;
  /** the query as each route's charset reads it */
  readers(query: string | null): (route: MatchableRoute) => Parameters;
}

/** Most routers know UTF-8 alone, and read a query once. */
export function charsetsOf(routes: readonly MatchableRoute[], codecOf: CodecOf): Charsets {
  const codecs = new Map(
    routes.flatMap((route) => (route.charset === null ? [] : [[route, codecOf(route.charset)] as const])),
  );
  const of = (route: MatchableRoute): TextCodec => codecs.get(route) ?? UTF8;
  return {
    of,
    is: (route) => (label) => {
      const mine = of(route);
      if (mine === UTF8) return /^(?:utf-?8|us-ascii)$/i.test(label);
      try {
        return plainName(codecOf(label)) === plainName(mine);
      } catch {
        return false;
      }
    },
    readers(query) {
      if (codecs.size === 0) {
        const parameters = readQuery(query);
        return () => parameters;
      }
      const read = new Map<TextCodec, Parameters>();
      return (route) => {
        const codec = of(route);
        const known = read.get(codec) ?? readQuery(query, 'query', codec);
        read.set(codec, known);
        return known;
      };
    },
  };
}

/** what carries the label GB 2312 is read as GBK, its superset */
const plainName = ({ name }: TextCodec): string => (name === 'gb2312' ? 'gbk' : name);
