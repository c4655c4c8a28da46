/**
 * Locates the parts of a multipart form (RFC 7578). Boundaries are parsed strictly (RFC 2046 §5.1.1), because a reader with other boundaries
 * finds other parts: no text may precede the first or follow the last one, and lines end in CRLF.
 */

/** RFC 2046 §5.1.1 `boundary` */
export const BOUNDARY = /^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$/;

export interface PartPlace {
  /** offset of its delimiter line */
  readonly start: number;
  /** offset of its first header, after the delimiter line */
  readonly headers: number;
  readonly content: number;
  /** end of its content; the following CRLF belongs to the next delimiter */
  readonly end: number;
}

export interface PartPlaces {
  readonly parts: readonly PartPlace[];
  /** offset of the closing delimiter */
  readonly close: number;
}

/** @param malformed makes the error from a predicate such as "is cut short" */
export function partPlaces(
  body: Buffer,
  boundary: string,
  mostParts: number,
  malformed: (what: string) => Error,
): PartPlaces {
  const dashes = `--${boundary}`;
  if (!body.subarray(0, dashes.length).equals(Buffer.from(dashes, 'latin1')))
    throw malformed('does not begin with its boundary');
  const parts: PartPlace[] = [];
  let at = 0;
  for (;;) {
    const line = at + dashes.length;
    const after = body.toString('latin1', line, line + 2);
    if (after === '--') {
      const rest = body.toString('latin1', line + 2, line + 5);
      if (rest !== '' && rest !== '\r\n') throw malformed('goes on behind its last boundary');
      return { parts, close: at };
    }
    if (after !== '\r\n') throw malformed('has a line that only begins like its boundary');
    if (parts.length === mostParts) throw malformed(`has more than ${mostParts} parts`);
    const next = body.indexOf(`\r\n${dashes}`, line, 'latin1');
    if (next < 0) throw malformed('is cut short');
    // Go, PHP and mail readers treat such a line as a boundary; busboy and RFC 2046 do not.
    const between = body.subarray(line + 2, next);
    if (between.includes(`\n${dashes}`, 0, 'latin1') || between.includes(`\r${dashes}`, 0, 'latin1'))
      throw malformed('has a boundary behind a line end other than CRLF');
    // A part without content: its empty line may be the CRLF of the next boundary.
    const blank = body.subarray(line, next + 2).indexOf('\r\n\r\n', 0, 'latin1');
    const content = line + blank + 4;
    if (blank < 0 || content > next) throw malformed('has a part without the empty line behind its headers');
    parts.push({ start: at, headers: line + 2, content, end: next });
    at = next + 2;
  }
}
