/**
 * Asks the upstream only for the records that the policy permits (`filter_params`), so that it need not send the others. Nothing depends on what
 * the upstream makes of it: the answer is limited in any case.
 */
import type { FilterCondition, RecordFilter } from '../model/record-filter.ts';
import type { Parameters } from './query.ts';
import type { FilterParamsConfig } from './section/filter-params.ts';

type Mapping = FilterParamsConfig[string];
type Side = 'at_least' | 'at_most';

/**
 * @param resource of the route
 * @returns the request's parameters, and those of the conditions that the route maps. A parameter that the request has stays, unless it asks for more.
 */
export function withFilter(
  config: FilterParamsConfig,
  resource: string,
  filter: RecordFilter,
  parameters: Parameters,
): Parameters {
  const asked: (readonly [string, string])[] = [...parameters];
  for (const condition of filter) {
    const mapping = Object.hasOwn(config, condition.attribute) ? config[condition.attribute] : undefined;
    if (mapping === undefined || condition.resource !== resource) continue;
    listed(mapping, condition, asked);
    for (const side of ['at_least', 'at_most'] as const) bounded(side, mapping, condition, asked);
  }
  return asked;
}

type Asked = (readonly [string, string])[];

const placesOf = (name: string, asked: Asked): readonly number[] =>
  asked.flatMap(([own], i) => (own === name || own.startsWith(`${name}[`) ? [i] : []));

/** Values of the request stay: those that are not permitted find nothing that is disclosed. */
function listed({ in: name, separator }: Mapping, { in: values }: FilterCondition, asked: Asked): void {
  if (name === undefined || values === null || placesOf(name, asked).length > 0) return;
  if (values.length === 1) asked.push([name, values[0]!]);
  else if (separator !== undefined && !values.some((value) => value.includes(separator)))
    asked.push([name, values.join(separator)]);
}

function bounded(side: Side, mapping: Mapping, condition: FilterCondition, asked: Asked): void {
  const { [side]: name, format } = mapping;
  const bound = condition[side];
  if (name === undefined || bound === null) return;
  const text = typeof bound === 'number' ? String(bound) : spelled(bound, side, format, condition.offset);
  const places = placesOf(name, asked);
  if (places.length === 0) asked.push([name, text]);
  else if (places.length === 1 && asked[places[0]!]![0] === name) {
    const own = asked[places[0]!]![1];
    if (isWider(own, text, side, typeof bound === 'number' ? 'epoch' : format))
      asked[places[0]!] = [name, text];
  }
}

function spelled(date: string, side: Side, format: Mapping['format'], offset: number): string {
  if (format === 'date') return date;
  if (format === 'compact') return date.replaceAll('-', '');
  const sign = offset < 0 ? '-' : '+';
  const [hours, minutes] = [Math.trunc(Math.abs(offset) / 60), Math.abs(offset) % 60];
  const zone = `${sign}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
  const moment = `${date}T${side === 'at_least' ? '00:00:00' : '23:59:59'}${zone}`;
  if (format === 'datetime') return moment;
  const milliseconds = Date.parse(moment);
  return String(format === 'epoch' ? milliseconds / 1000 : milliseconds);
}

const SHAPES: { readonly [format in Mapping['format']]: RegExp } = {
  date: /^\d{4}-\d{2}-\d{2}$/,
  compact: /^\d{8}$/,
  datetime: /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/,
  epoch: /^-?\d{1,15}$/,
  epoch_ms: /^-?\d{1,15}$/,
};

/** Whether the request's own bound permits more. One in another spelling is left as it is. */
function isWider(own: string, bound: string, side: Side, format: Mapping['format']): boolean {
  if (!SHAPES[format].test(own)) return false;
  const of = (text: string): number =>
    format === 'datetime' || format === 'date' ? Date.parse(text) : Number(text);
  return side === 'at_least' ? of(own) < of(bound) : of(own) > of(bound);
}
