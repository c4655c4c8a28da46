/**
 * A body that is not looked into (PDF, image, page): the route says which field of the catalog all of it is, and of which types it
 * may be. One record that leaves to the byte where the policy discloses that field, and else not at all.
 *
 * Options of a route's `response`:
 * - `field`: pointer of a line of the catalog
 * - `types`: what the upstream's Content-Type may be (`media.ts` looks): its login or error page is not the document
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

/** `type/subtype` of RFC 6838, and no ranges: what stands behind the slash would be the upstream's own words */
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
      'The option types lists what the Content-Type may be, in small letters and without parameters: [application/pdf, image/png].',
    );
  return types;
}

function fieldOf(options: { readonly [name: string]: unknown }): string {
  const { field } = options;
  if (typeof field !== 'string' || !/^(\/[^/*[\]#@~]+)+$/.test(field))
    throw new SluiceError(
      'config_invalid',
      'The option field is the line of the catalog that the whole body is: /contract.',
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

  /** what of the body has arrived: behind the record, and with it */
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
