/**
 * Server-sent events (WHATWG HTML, section 9.2). The data of each event is a body of another format, which discloses it; an event whose records
 * are all withheld is left out. Comments and unknown fields are left out; names, ids and `retry` are text of the upstream that no policy sees, and
 * pass only where the route says so.
 */
import { isSluiceError, SluiceError } from '../../../errors.ts';
import { EventCutter, eventsIn, type ServerEvent } from '../../../model/event-stream.ts';
import type { BodyReader, CountPiece, Format, FormatSetup, Output, Piece, RecordPiece } from '../format.ts';
import { choice, texts } from '../shared/options.ts';
import { EventText } from './event-text.ts';

/** @param inner formats that the data of an event may have; the first is the default */
export const eventStream = (inner: readonly Format[]): Format => ({
  name: 'sse',
  layout: 'events',
  media: {
    types: ['text/event-stream'],
    charsetParameter: 'never',
    // Anything else would be read as a stream without events.
    typesOf: () => ['text/event-stream'],
  },
  open: (setup) => new EventReader(setup, inner),
  endless: ({ record_bytes }) => new EventCutter(record_bytes, () => tooLarge(record_bytes)),
});

const tooLarge = (most: number): SluiceError =>
  new SluiceError('record_too_large', `An event exceeds ${most} bytes (limits.record).`);

type Passed = 'drop' | 'keep';
const PASSED: readonly Passed[] = ['drop', 'keep'];

/** of an id that is passed on */
const ID = /^[!-~]{1,256}$/;
const NO_BYTES = new Uint8Array(0);

/** a day */
const LONGEST_RETRY = 86_400_000;

class EventReader implements BodyReader {
  readonly #format: Format;
  readonly #setup: FormatSetup;
  readonly #names: ReadonlySet<string>;
  readonly #texts: ReadonlySet<string>;
  readonly #ids: Passed;
  readonly #retry: Passed;
  readonly #cutter: EventCutter;
  readonly #text = new EventText();
  /** readers of the events whose pieces are not rendered yet */
  #open: BodyReader[] = [];
  #fault: unknown = null;

  constructor(setup: FormatSetup, inner: readonly Format[]) {
    const { format, events, ids: _ids, retry: _retry, texts: known, ...rest } = setup.options;
    const names = inner.map(({ name }) => name);
    const name = choice({ format }, 'format', names[0]!, names);
    this.#format = inner.find((each) => each.name === name)!;
    this.#names = new Set(events === undefined ? [] : texts({ events }, 'events'));
    for (const each of this.#names)
      if (/[\r\n]/.test(each)) throw new SluiceError('config_invalid', 'A name of an event is one line.');
    this.#texts = new Set(known === undefined ? [] : texts({ texts: known }, 'texts'));
    this.#ids = choice(setup.options, 'ids', 'drop', PASSED);
    this.#retry = choice(setup.options, 'retry', 'drop', PASSED);
    // Readers decode a stream as UTF-8, whatever its label says.
    this.#setup = { ...setup, charset: 'utf-8', charsetCertain: true, options: rest };
    const { record_bytes } = setup.limits;
    this.#cutter = new EventCutter(record_bytes, () => tooLarge(record_bytes));
  }

  push(chunk: Uint8Array): readonly Piece[] {
    const pieces: Piece[] = [];
    for (let next = chunk, more = true; more; next = NO_BYTES) {
      const arrived = this.#cutter.push(next);
      more = arrived.more;
      if (arrived.events !== null) this.#events(arrived.events, pieces);
    }
    return pieces;
  }

  #events(events: Uint8Array, pieces: Piece[]): void {
    if (this.#fault !== null) return;
    try {
      for (const event of eventsIn(events)) this.#event(event, pieces);
    } catch (error) {
      // The events before it are whole, and may be released.
      this.#fault = error;
    }
  }

  settled(): void {
    for (const reader of this.#open) reader.settled?.();
    this.#open = [];
  }

  /** An event that has not ended is discarded, as readers do. */
  end(): readonly Piece[] {
    if (this.#fault !== null) throw this.#fault;
    return [];
  }

  #event({ event, id, retry, data }: ServerEvent, pieces: Piece[]): void {
    const { matcher: _matcher, limits } = this.#setup;
    const head = {
      id: this.#ids === 'keep' && id !== null && (id === '' || ID.test(id)) ? id : null,
      retry: this.#retry === 'keep' && retry !== null && retry <= LONGEST_RETRY ? retry : null,
    };
    if (data === null) {
      if (head.id !== null || head.retry !== null)
        pieces.push(frame((out) => out.text(`${headOf({ ...head, event: null })}\n`)));
      return;
    }
    if (event !== null && event !== '' && event !== 'message' && !this.#names.has(event)) {
      pieces.push({
        kind: 'frame',
        render: (_out, counter) => counter.withheld('/event', 'event_unlisted'),
      });
      return;
    }
    const lead = headOf({ ...head, event: event === '' ? null : event });
    if (data.length === 0 || this.#isKnown(data)) {
      pieces.push(
        frame((out) => {
          const text = this.#text.begin();
          text.bytes(data, 0, data.length);
          text.write(out, lead);
        }),
      );
      return;
    }
    if (data.length > limits.record_bytes) throw tooLarge(limits.record_bytes);
    this.#disclosed(data, lead, pieces);
  }

  #disclosed(data: Uint8Array, lead: string, pieces: Piece[]): void {
    const reader = this.#format.open(this.#setup);
    this.#open.push(reader);
    const found = this.#read(reader, data);
    let begun = false;
    const counts = { records: 0, released: 0 };
    const begin = (): Output => {
      if (!begun) this.#text.begin();
      begun = true;
      return this.#text;
    };
    for (const piece of found) {
      if (piece.kind === 'record') {
        counts.records++;
        pieces.push(within(piece, begin, () => counts.released++));
      } else if (piece.kind === 'count') pieces.push(uncounted(piece, begin));
      else
        pieces.push({
          kind: 'frame',
          ...(piece.size === undefined ? {} : { size: piece.size }),
          render: (_out, counter) => piece.render(begin(), counter),
        });
    }
    pieces.push(
      frame((out) => {
        begin();
        if (counts.records === 0 || counts.released > 0) this.#text.write(out, lead);
      }),
    );
  }

  #read(reader: BodyReader, data: Uint8Array): readonly Piece[] {
    // Its reader owns the bytes.
    const bytes = Buffer.from(data);
    try {
      if (reader.pushAll !== undefined) return reader.pushAll(bytes);
      return [...reader.push(bytes), ...reader.end()];
    } catch (error) {
      if (!isSluiceError(error, 'response_malformed')) throw error;
      throw new SluiceError('response_malformed', {
        message: `The data of an event is not ${this.#format.name}: ${error.message}`,
        cause: error,
      });
    }
  }

  #isKnown(data: Uint8Array): boolean {
    return this.#texts.size > 0 && data.length < 1024 && this.#texts.has(Buffer.from(data).toString('utf8'));
  }
}

const frame = (render: (out: Output) => void): Piece => ({ kind: 'frame', render });

const headOf = ({
  event,
  id,
  retry,
}: {
  readonly event: string | null;
  readonly id: string | null;
  readonly retry: number | null;
}): string =>
  `${event === null ? '' : `event: ${event}\n`}${id === null ? '' : `id: ${id}\n`}${retry === null ? '' : `retry: ${retry}\n`}`;

const within = (piece: RecordPiece, begin: () => Output, released: () => void): RecordPiece => ({
  kind: 'record',
  size: piece.size,
  ...(piece.only === undefined ? {} : { only: piece.only }),
  scopes: piece.scopes,
  render(_out, rendering) {
    if (rendering !== null) released();
    piece.render(begin(), rendering);
  },
  group: (rendering) => piece.group(rendering),
});

/** A number of an event's records is not told: it may precede them. */
const uncounted = (piece: CountPiece, begin: () => Output): Piece => ({
  kind: 'frame',
  render(_out, counter) {
    const out = begin();
    piece.begin(out);
    piece.render(out, null);
    counter.withheld(piece.path, 'count_not_told');
  },
});
