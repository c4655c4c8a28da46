/** Customers as a Chinese insurer's CRM would send them: the default policy's own catalog, nested orders, notes, fields nobody catalogued. */

export function seeded(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % n;
  };
}

const SURNAMES = [...'王李张刘陈杨黄赵吴周'];
const GIVEN = ['伟', '芳', '娜', '秀英', '敏', '静', '丽', '强', '磊', '军'];
const CITIES = [
  ['广东省', '深圳市'],
  ['北京市', '北京市'],
  ['浙江省', '杭州市'],
  ['四川省', '成都市'],
] as const;
const ITEMS = ['washing machine', 'travel insurance', '净水器', 'annual service', '手机壳'];
const NOTE =
  'Customer called about the delivery; asked to be rung back after 18:00. 客户要求周末上门，不要电话推销。 Escalated once, closed without complaint.';

export interface Customer {
  readonly [name: string]: unknown;
}

export function customer(n: number, random: (n: number) => number): Customer {
  const [province, city] = CITIES[random(CITIES.length)]!;
  const digits = (count: number) => Array.from({ length: count }, () => random(10)).join('');
  return {
    id: `C${100000 + n}`,
    name: SURNAMES[random(10)]! + GIVEN[random(10)]!,
    id_number: `4403051990${digits(8)}`,
    gender: random(2) ? 'f' : 'm',
    birth_date: `19${50 + random(50)}-0${1 + random(9)}-1${random(10)}`,
    phone: `138${digits(8)}`,
    email: `user${n}@example.com`,
    address: {
      province,
      city,
      street: `科技园路${random(200)}号${random(30)}栋`,
      postcode: `518${digits(3)}`,
    },
    orders: Array.from({ length: 1 + random(3) }, () => ({
      order_no: `SO-2026-${digits(6)}`,
      date: `2026-0${1 + random(9)}-2${random(10)}`,
      item: ITEMS[random(ITEMS.length)]!,
      amount: random(1_000_000) / 100,
      status: random(2) ? 'delivered' : 'open',
    })),
    preferences: { channel: 'wechat', interests: ['travel', '健康'], newsletter: random(2) === 1 },
    bank_card: `622202${digits(13)}`,
    notes: NOTE,
    vip: random(10) === 0,
    created_at: `2020-0${1 + random(9)}-1${random(10)}T08:00:00+08:00`,
    _etag: digits(12),
    internal: { score: random(1000) / 1000, segment: 'B2', tags: ['a', 'b', 'c'] },
  };
}

/** one customer, as a read of one answers: about 1 KB */
export const single = (seed = 1): Buffer => Buffer.from(JSON.stringify(customer(0, seeded(seed))));

/** a page of about this many bytes */
export function page(bytes: number, seed = 1): Buffer {
  const random = seeded(seed);
  const items: string[] = [];
  let size = 0;
  for (let n = 0; size < bytes; n++) {
    items.push(JSON.stringify(customer(n, random)));
    size += Buffer.byteLength(items[n]!) + 1;
  }
  return Buffer.from(`{"page":1,"items":[${items.join(',')}]}`);
}
