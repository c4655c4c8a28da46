/** The charset of each route's requests: of the body, and of percent-encoded bytes in the query. */
import { type CodecOf, type TextCodec, UTF8 } from './body/text.ts';
import type { MatchableRoute } from './compile.ts';
import { type Parameters, readQuery } from './query.ts';

export interface Charsets {
  of(route: MatchableRoute): TextCodec;
  /** true if the label names the charset of the route */
  is(route: MatchableRoute): (label: string) => boolean;
  /** the query, decoded in the charset of each route */
  readers(query: string | null): (route: MatchableRoute) => Parameters;
}

/** Most configurations use only UTF-8; then the query is decoded once. */
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

/** the label GB 2312 is read as GBK, its superset */
const plainName = ({ name }: TextCodec): string => (name === 'gb2312' ? 'gbk' : name);
