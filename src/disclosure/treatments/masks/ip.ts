/** IP addresses: keeps half of an IPv4 address, or the first 32 bits (a provider's allocation) of an IPv6 address. */
import { isIPv4, isIPv6 } from 'node:net';
import { onlyKnown } from '../parameters.ts';
import { type Mask, type MaskParameters, maskOf } from './mask.ts';
import type { Shape } from './returned.ts';

const MASKED_4 = /^(?:::ffff:)?[0-9]{1,3}\.[0-9]{1,3}\.\*\.\*$/;
const MASKED_6 = /^[0-9a-f]{1,4}:[0-9a-f]{1,4}(?::\*){6}$/;

const SHAPE: Shape = {
  pattern: /^[0-9a-f]{0,10}\*$/i,
  sees: 'characters',
  within:
    /(?<![0-9a-f.]|[0-9a-f]:)(?:[0-9]{1,3}\.[0-9]{1,3}\.\*\.\*|[0-9a-f]{1,4}:[0-9a-f]{1,4}(?::\*){2,6})/iu,
};

const half = (address: string): string => address.replace(/[0-9]+\.[0-9]+$/, '*.*');

export function ip(parameters: MaskParameters): Mask {
  onlyKnown(parameters, []);
  return maskOf('ip', 'IPv4: the first two bytes; IPv6: the first two groups', SHAPE, (text) => {
    const address = text.trim().toLowerCase();
    if (isIPv4(address)) return half(address);
    if (MASKED_4.test(address) || MASKED_6.test(address)) return address;
    if (!isIPv6(address)) return null;
    // RFC 4291 2.5.5.2: IPv4-mapped
    const mapped = /^::ffff:([0-9.]+)$/.exec(address)?.[1];
    if (mapped !== undefined) return `::ffff:${half(mapped)}`;
    const [high = '', low] = address.split('::');
    const known = high === '' ? [] : high.split(':');
    // without `::` there are eight groups; with it the omitted ones are zero
    const groups = low === undefined ? known : [...known, '0', '0'];
    return `${groups[0]}:${groups[1]}:*:*:*:*:*:*`;
  });
}
