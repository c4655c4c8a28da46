/** Form bodies as `{ name: value }`; a repeatable name holds a list. */
import { SluiceError } from '../../errors.ts';
import { readQuery } from '../query.ts';
import { utf8 } from './json.ts';

/** @throws SluiceError `body_unreadable`, `method_override_refused` */
export function parseForm(bytes: Uint8Array, repeatable: ReadonlySet<string>): unknown {
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of readQuery(utf8(bytes), 'form')) {
    const held = out[name];
    if (repeatable.has(name)) out[name] = Array.isArray(held) ? [...(held as string[]), value] : [value];
    else if (held === undefined) out[name] = value;
    else
      throw new SluiceError(
        'body_unreadable',
        'The form has a field twice that its route does not call repeatable.',
      );
  }
  return out;
}
