/** The MCP server's answer to one message: a JSON body, or a stream of server-sent events of which one is the answer. */
import { SluiceError } from '../../errors.ts';
import type { Exchanged } from '../../pipeline/call.ts';
import { EventCutter, eventsIn } from '../../model/event-stream.ts';
import { isMembers, type Members, membersOf, type ReadText, readText, type Slice } from './message.ts';

export interface Answer {
  /** the whole message, as it came */
  readonly text: string;
  /** where its result is */
  readonly result: Slice;
  readonly value: Members;
}

const NO_BYTES = new Uint8Array(0);

const malformed = (why: string): SluiceError =>
  new SluiceError('response_malformed', `The MCP server's answer ${why}. It is not passed on.`);

/**
 * @param id that the message had at the server
 * @param most bytes of the answer
 * @throws SluiceError `response_malformed`, `response_too_large`, `response_format_unsupported`; `upstream_status_withheld` for an error
 */
export async function readAnswer({ headers, body }: Exchanged, id: string, most: number): Promise<Answer> {
  const type = String(headers['content-type'] ?? '')
    .split(';')[0]!
    .trim()
    .toLowerCase();
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity')
    throw new SluiceError('response_encoding_unsupported', 'The MCP server compressed its answer unasked.');
  if (type === 'text/event-stream') return inStream(body, id, most);
  if (type !== 'application/json')
    throw new SluiceError(
      'response_format_unsupported',
      'The MCP server answered in neither JSON nor server-sent events.',
    );
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > most) throw tooLarge(most);
    chunks.push(chunk);
  }
  const answer = answerOf(readText(Buffer.concat(chunks, size)), id);
  if (answer === null) throw malformed('is no JSON-RPC response');
  return answer;
}

const tooLarge = (most: number): SluiceError =>
  new SluiceError(
    'response_too_large',
    `The MCP server's answer is larger than ${most} bytes (mcp.max_result).`,
  );

/** @returns null: a notification, of which nothing is passed on */
function answerOf(read: ReadText, id: string): Answer | null {
  if ('fault' in read) throw malformed(read.fault);
  const { text, value } = read;
  if (!isMembers(value) || value['jsonrpc'] !== '2.0') throw malformed('is no JSON-RPC message');
  if (value['method'] !== undefined) {
    if (value['id'] === undefined) return null;
    throw malformed(
      'is a request (sampling, elicitation or roots), which Sluice passes on to no client and told the server so (capabilities)',
    );
  }
  if (value['id'] !== id) throw malformed('belongs to another message');
  const { error, result } = value;
  if (error !== undefined) throw refused(error);
  if (!isMembers(result)) throw malformed('has no result');
  return { text, result: membersOf(text).get('result')!, value: result };
}

/** Its message and data are text of the server, and may hold anything. */
function refused(error: unknown): SluiceError {
  const code = isMembers(error) && Number.isSafeInteger(error['code']) ? ` (${String(error['code'])})` : '';
  return new SluiceError(
    'upstream_status_withheld',
    `The MCP server answered with an error${code}. What it said is not passed on.`,
  );
}

async function inStream(body: Exchanged['body'], id: string, most: number): Promise<Answer> {
  const cutter = new EventCutter(most, () => tooLarge(most));
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > most) throw tooLarge(most);
    for (let next = chunk, more = true; more; next = NO_BYTES) {
      const arrived = cutter.push(next);
      more = arrived.more;
      for (const { event, data } of arrived.events === null ? [] : eventsIn(arrived.events)) {
        // The official SDK's server begins a stream that can be resumed with an event without data.
        if (data === null || data.length === 0 || (event !== null && event !== '' && event !== 'message'))
          continue;
        const found = answerOf(readText(data), id);
        if (found !== null) return found;
      }
    }
  }
  throw malformed('ended without a response');
}
