/** Form bodies as `{ name: value }`; a repeatable name holds a list. */
import { type Parameters, readQuery } from '../query.ts';
import { type TextCodec, unreadable } from './text.ts';

/** @throws SluiceError `body_unreadable`, `method_override_refused` */
export const parseForm = (
  text: string,
  codec: TextCodec,
  repeatable: ReadonlySet<string>,
  overrides: ReadonlySet<string>,
  repeats: ((name: string) => boolean) | null = null,
): unknown => gathered(readQuery(text, 'form', codec, overrides), repeatable, repeats);

/** @throws SluiceError `body_unreadable` for a repeated name that may not repeat */
export function gathered(
  pairs: Parameters | readonly (readonly [string, unknown])[],
  repeatable: ReadonlySet<string>,
  repeats: ((name: string) => boolean) | null = null,
): unknown {
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of pairs) {
    const held = out[name];
    if (repeatable.has(name)) out[name] = Array.isArray(held) ? [...(held as unknown[]), value] : [value];
    else if (held === undefined) out[name] = value;
    else if (repeats?.(name) === true)
      out[name] = Array.isArray(held) ? [...(held as unknown[]), value] : [held, value];
    else throw unreadable('has a field twice that its route does not call repeatable');
  }
  return out;
}
