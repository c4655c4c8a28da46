/**
 * Generates customers of a fictional insurer. The same seed gives the same people on every machine.
 * Identity numbers and bank cards have valid check digits (GB 11643, ISO/IEC 7812-1), so that detectors recognize them.
 */

export interface Person {
  readonly id: string;
  readonly record: string;
  readonly phone: string;
  readonly city: string;
  readonly agent: string;
}

/** mulberry32: a small seeded generator, sufficient for sample data and not for secrets. */
function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Check digit of an 18-digit identity number (GB 11643-1999): ISO 7064 MOD 11-2. */
function identityCheckDigit(first17: string): string {
  let sum = 0;
  for (let i = 0; i < 17; i++) sum += Number(first17[i]) * (2 ** (17 - i) % 11);
  return '10X98765432'[sum % 11] ?? '';
}

/** Check digit of a card number (ISO/IEC 7812-1 annex B, Luhn). */
function luhnCheckDigit(body: string): string {
  let sum = 0;
  for (let i = 0; i < body.length; i++) {
    const digit = Number(body[body.length - 1 - i]);
    const doubled = i % 2 === 0 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return String((10 - (sum % 10)) % 10);
}

const PLACES = [
  {
    province: '北京市',
    city: '北京',
    code: '110101',
    postcode: '100010',
    streets: ['东四北大街', '南锣鼓巷', '建国门外大街'],
  },
  {
    province: '上海市',
    city: '上海',
    code: '310115',
    postcode: '200120',
    streets: ['世纪大道', '张杨路', '陆家嘴环路'],
  },
  {
    province: '广东省',
    city: '广州',
    code: '440106',
    postcode: '510630',
    streets: ['天河路', '体育东路', '中山大道'],
  },
  {
    province: '广东省',
    city: '深圳',
    code: '440305',
    postcode: '518057',
    streets: ['科技园路', '深南大道', '后海大道'],
  },
  {
    province: '浙江省',
    city: '杭州',
    code: '330106',
    postcode: '310012',
    streets: ['文三路', '天目山路', '西溪路'],
  },
  {
    province: '四川省',
    city: '成都',
    code: '510107',
    postcode: '610041',
    streets: ['人民南路', '科华北路', '武侯大道'],
  },
  {
    province: '新疆维吾尔自治区',
    city: '乌鲁木齐',
    code: '650102',
    postcode: '830002',
    streets: ['解放北路', '中山路'],
  },
] as const;

const SURNAMES = [...'王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗', '欧阳', '司马', '诸葛', '上官'];
const GIVEN = [
  '伟',
  '芳',
  '娜',
  '秀英',
  '敏',
  '静',
  '丽',
  '强',
  '磊',
  '军',
  '洋',
  '勇',
  '艳',
  '杰',
  '娟',
  '涛',
  '明',
  '超',
  '秀兰',
  '霞',
  '平',
  '刚',
  '桂英',
  '子轩',
  '雨桐',
  '浩然',
];
const MINORITY = ['买买提·阿不都拉', '阿依古丽·吐尔逊', '迪丽努尔·艾尼瓦尔'];
const WESTERN = [
  'John Smith',
  'Emily Johnson',
  'Michael O’Connor',
  'Anna Müller',
  'José García',
  'Sophie Martin',
  'David Brown',
  'Linda de Vries',
];
const PRODUCTS = ['车险', '医疗险', '重疾险', '家财险', 'Travel', 'Term life'];
const ITEMS = ['车载充电器', '行车记录仪', '血压计', 'First-aid kit', 'Child seat', '空气净化器'];
const INTERESTS = ['自驾', '健身', '旅行', '理财', 'reading', 'cycling', '摄影', '美食'];
const CLAIM_TYPES = ['collision', 'medical', 'theft', 'water'];
const DIAGNOSES = ['左侧桡骨骨折', '急性阑尾炎', 'Concussion', '2型糖尿病', '腰椎间盘突出'];
const RELATIONS = ['spouse', 'parent', 'sibling', 'friend'];

export interface Agent {
  readonly id: string;
  readonly name: string;
  readonly title: string;
  readonly department: string;
  readonly work_phone: string;
  readonly work_email: string;
  readonly phone: string;
  readonly email: string;
  readonly id_number: string;
  readonly salary: number;
  readonly password_hash: string;
}

/** A number that is written literally: old systems write `88.0` and 20-digit integers, and both must be preserved. */
const raw = (text: string): string => `\u0001${text}\u0001`;
const spell = (value: unknown): string => JSON.stringify(value).replace(/"\\u0001([^"]*)\\u0001"/g, '$1');

export function createPeople(seed: number, count: number): { customers: Person[]; agents: Agent[] } {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  const digits = (n: number): string => Array.from({ length: n }, () => between(0, 9)).join('');
  const two = (n: number): string => String(n).padStart(2, '0');
  const date = (from: number, to: number): string =>
    `${between(from, to)}-${two(between(1, 12))}-${two(between(1, 28))}`;
  const mobile = (): string => `1${pick(['38', '39', '35', '50', '86', '77', '99'])}${digits(8)}`;
  const chinese = (): string => pick(SURNAMES) + pick(GIVEN);
  const identity = (code: string, born: string, male: boolean): string => {
    const odd = between(0, 4) * 2 + (male ? 1 : 0);
    const body = `${code}${born.replaceAll('-', '')}${digits(2)}${odd}`;
    return body + identityCheckDigit(body);
  };
  const card = (): string => {
    const body = `${pick(['622202', '621700', '622848', '456351'])}${digits(12)}`;
    return body + luhnCheckDigit(body);
  };
  const hash = (): string =>
    `$2b$12$${Array.from({ length: 53 }, () => pick([...'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789./'])).join('')}`;

  const agents: Agent[] = Array.from({ length: 12 }, (_, i) => {
    const name = chinese();
    return {
      id: `E${two(i + 1)}`,
      name,
      title: pick(['客户经理', '理赔专员', 'Senior agent']),
      department: pick(['after-sales', 'claims', 'sales']),
      work_phone: `010-6${digits(7)}`,
      work_email: `agent${two(i + 1)}@insurer.example`,
      phone: mobile(),
      email: `private${digits(4)}@mail.example`,
      id_number: identity('110101', date(1975, 1999), next() < 0.5),
      salary: between(90, 300) * 1000,
      password_hash: hash(),
    };
  });

  const customers = Array.from({ length: count }, (_, i): Person => {
    const id = `C${100001 + i}`;
    const first = i === 0;
    const western = !first && next() < 0.2;
    const male = first || next() < 0.5;
    const place = first ? PLACES[0] : pick(PLACES);
    const born = first ? '1990-03-07' : date(1948, 2005);
    const name = first ? '张三丰' : western ? pick(WESTERN) : next() < 0.03 ? pick(MINORITY) : chinese();
    const phone = first ? '13812345678' : mobile();
    const idNumber = first
      ? '110101199003074514'
      : western
        ? `E${digits(8)}`
        : identity(place.code, born, male);
    const bank = first ? '6222021234567890128' : card();
    const friend = first ? '宋远桥' : western ? pick(WESTERN) : chinese();
    const friendPhone = first ? '13987654321' : mobile();
    const agent = first ? (agents[0] as Agent) : pick(agents);
    const claims = first || next() < 0.4 ? between(1, 2) : 0;
    const record = {
      id,
      name,
      id_number: idNumber,
      gender: male ? 'M' : 'F',
      birth_date: born,
      phone,
      email: first
        ? 'zhangsanfeng@wudang.example'
        : western
          ? `${name
              .split(' ')[0]
              ?.toLowerCase()
              .normalize('NFD')
              .replace(/[^a-z]/g, '')}${digits(3)}@mail.example`
          : `u${digits(7)}@mail.example`,
      address: {
        province: place.province,
        city: place.city,
        street: `${pick(place.streets)}${between(1, 300)}号${between(1, 30)}单元${between(101, 2904)}室`,
        postcode: place.postcode,
      },
      emergency_contact: {
        name: friend,
        relation: first ? 'friend' : pick(RELATIONS),
        phone: friendPhone,
      },
      policies: Array.from({ length: between(1, 2) }, () => {
        const year = between(2023, 2026);
        const rest = `${two(between(1, 12))}-${two(between(1, 28))}`;
        return {
          policy_no: raw(`8800${digits(16)}`),
          product: pick(PRODUCTS),
          premium: raw(`${between(300, 9000)}.0`),
          sum_insured: between(5, 200) * 10000,
          start: `${year}-${rest}`,
          end: `${year + 1}-${rest}`,
        };
      }),
      claims: Array.from({ length: claims }, () => {
        const type = pick(CLAIM_TYPES);
        return {
          claim_no: `CL${digits(8)}`,
          date: date(2024, 2026),
          type,
          amount: raw(`${between(100, 60000)}.${two(between(0, 99))}`),
          status: pick(['open', 'paid', 'rejected']),
          diagnosis: type === 'medical' || first ? pick(DIAGNOSES) : null,
        };
      }),
      orders: Array.from({ length: between(1, 3) }, () => ({
        order_no: `SO${digits(10)}`,
        date: date(2025, 2026),
        item: pick(ITEMS),
        amount: raw(`${between(20, 900)}.${digits(1)}0`),
        status: pick(['paid', 'shipped', 'returned']),
      })),
      preferences: {
        channel: pick(['sms', 'email', 'wechat']),
        interests: [...new Set([pick(INTERESTS), pick(INTERESTS)])],
        newsletter: next() < 0.5,
      },
      bank_card: bank,
      password_hash: hash(),
      notes: western
        ? `Customer ${name} asked to be called back on ${phone}; card ${bank} declined twice.`
        : `客户姓名：${name}，来电要求回拨${phone}。身份证${idNumber}已核对，紧急联系人${friend} ${friendPhone}。`,
      vip: next() < 0.05,
      created_at: `${date(2015, 2025)}T0${between(0, 9)}:15:00Z`,
      agent: { ...agent, salary: agent.salary },
    };
    return { id, record: spell(record), phone, city: place.city, agent: agent.id };
  });
  return { customers, agents };
}
