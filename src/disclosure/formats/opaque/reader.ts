/**
 * A body that is not parsed (PDF, image, page). The route states which field of the catalog the body is, and its possible types. The body is one
 * record, which is released byte for byte if the policy discloses the field, and otherwise withheld.
 *
 * Options of a route's `response`:
 * - `field`: pointer of a catalog line
 * - `types`: the accepted Content-Types (checked in `media.ts`), so that a login or error page is not taken for the document
 */
import { SluiceError } from '../../../errors.ts';
import {
  type BodyReader,
  DISCLOSE,
  type Format,
  type FramePiece,
  type Output,
  type Piece,
  type RecordPiece,
  type RecordScope,
  type Rendering,
} from '../format.ts';
import { onlyOptions } from '../shared/options.ts';

export const opaque: Format = {
  name: 'whole',
  layout: 'single',
  media: { types: [], charsetParameter: 'if_stated', typesOf },
  open({ options }) {
    onlyOptions('whole', options, ['field', 'types']);
    typesOf(options);
    return new OpaqueReader(fieldOf(options));
  },
};

/** `type/subtype` (RFC 6838) without ranges: a range would pass on a subtype that the upstream chose */
const TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;

/** @throws SluiceError `config_invalid` */
function typesOf(options: { readonly [name: string]: unknown }): readonly string[] {
  const { types } = options;
  if (
    !Array.isArray(types) ||
    types.length === 0 ||
    !types.every((t) => typeof t === 'string' && TYPE.test(t))
  )
    throw new SluiceError(
      'config_invalid',
      'The option types lists the accepted Content-Types, in lower case and without parameters: [application/pdf, image/png].',
    );
  return types;
}

function fieldOf(options: { readonly [name: string]: unknown }): string {
  const { field } = options;
  if (typeof field !== 'string' || !/^(\/[^/*[\]#@~]+)+$/.test(field))
    throw new SluiceError(
      'config_invalid',
      'The option field is the pointer of the catalog line for the body: /contract.',
    );
  return field;
}

class OpaqueReader implements BodyReader {
  readonly #record: OpaqueRecord;
  #begun = false;

  constructor(field: string) {
    this.#record = new OpaqueRecord(field);
  }

  push(chunk: Uint8Array): readonly Piece[] {
    return [...this.#begin(), this.#record.bytes(chunk)];
  }

  end(): readonly Piece[] {
    return this.#begin();
  }

  #begin(): readonly Piece[] {
    if (this.#begun) return [];
    this.#begun = true;
    return [this.#record];
  }
}

class OpaqueRecord implements RecordPiece {
  readonly kind = 'record';
  readonly size = 0;
  readonly only: string;
  readonly scopes: readonly RecordScope[] = [{ scope: -1, subjects: [], attributes: {} }];
  #leaves = false;

  constructor(field: string) {
    this.only = field;
  }

  render(_: Output, rendering: Rendering | null): void {
    const program = rendering?.program(0, 0) ?? null;
    if (rendering === null || program === null) return;
    const { matcher } = rendering;
    let state = matcher.root;
    for (const name of this.only.slice(1).split('/')) state = matcher.step(state, name);
    const field = matcher.field(state);
    if (program.action(field) !== DISCLOSE) return;
    program.counter.released(field);
    this.#leaves = true;
  }

  /** the piece for a chunk of the body, which is released with the record */
  bytes(chunk: Uint8Array): FramePiece {
    return {
      kind: 'frame',
      size: chunk.length,
      render: (out) => {
        if (this.#leaves) out.bytes(chunk, 0, chunk.length);
      },
    };
  }

  group(): string {
    return '';
  }
}
