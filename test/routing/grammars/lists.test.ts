import { describe } from 'vitest';
import { holdsTable } from './table.ts';

const fields = { name: '/name', phone: '/phone', 'address.city': '/address/city', id: ['/id', '/id_number'] };

describe('sort', () =>
  holdsTable({
    grammar: 'sort',
    at: 'sort',
    fields,
    accepted: [
      ['sort=', []],
      ['sort=name', ['/name']],
      ['sort=-name,phone desc', ['/name', '/phone']],
      ['sort=+name', ['/name']],
      ['sort= name', ['/name']],
      ['sort=name:asc, phone:DESC', ['/name', '/phone']],
      ['sort=id', ['/id', '/id_number']],
      ['sort=-address.city', ['/address/city']],
      ['sort={"name":-1,"phone":1}', ['/name', '/phone']],
      ['sort=["-name"]', ['/name']],
      ['sort[]=-name', ['/name']],
      ['sort[0]=name', ['/name']],
    ],
    refused: [
      'sort=ssn',
      'sort=-ssn',
      'sort=name,ssn',
      'sort=name,,phone',
      'sort=Name',
      'sort=name ssn',
      'sort=--name',
      'sort=name desc nulls last',
      'sort=lower(name)',
      'sort=name;phone',
      'sort=(case when 1 then name end)',
      'sort=address',
      'sort={"name":-1,"name":1}',
      'sort={"name":{"$meta":"x"}}',
      'sort={"ssn":1}',
      'sort={"name":-1',
      'sort={"\\u0073sn":1}',
      'sort=["-ssn"]',
      'sort=[["name"]]',
      'sort[ssn]=asc',
      'sort[name]=asc',
      'sort[]=ssn',
      'sort=name&sort=phone',
      'sort=name&sort[]=phone',
      'sort%5B%5D=name',
      'Sort=name',
      ' sort=name',
      'sort[=name',
      'sort]=name',
      'sort=__proto__',
      'sort=constructor',
    ],
  }));

describe('select', () =>
  holdsTable({
    grammar: 'select',
    at: 'fields',
    fields: { 'orders.amount': '/orders' },
    accepted: [
      ['fields=name,phone', []],
      ['fields=*', []],
      ['fields=姓名', []],
      ['fields=name,orders.amount', []],
      ['fields[]=name', []],
    ],
    refused: [
      'fields=name:ssn',
      'fields=ssn name',
      'fields=orders(ssn)',
      'fields=orders.ssn',
      'fields=orders.*',
      'fields=count()',
      'fields=ssn::text',
      'fields=data->ssn',
      'fields=name,',
      'fields=ssn as name',
      'fields=+ssn',
      'fields[people]=name',
    ],
  }));

describe('include', () =>
  holdsTable({
    grammar: 'include',
    at: 'include',
    fields: { orders: '/orders' },
    accepted: [
      ['include=orders', []],
      ['include=', []],
    ],
    refused: ['include=agent', 'include=orders.ssn', 'include=*', 'include=orders,', 'include[]=orders'],
  }));

describe('text', () =>
  holdsTable({
    grammar: 'text',
    at: 'q',
    fields: { name: '/name', phone: '/phone' },
    accepted: [
      ['q=', ['/name', '/phone']],
      ['q=张三 138', ['/name', '/phone']],
      ['q="O\'Neil, Jr." -x', ['/name', '/phone']],
    ],
    refused: [
      'q=ssn:2',
      'q=ssn：2',
      'q=ssn=2',
      'q=ssn>2',
      'q={!lucene}x',
      'q=_val_(ssn)',
      'q=[a TO b]',
      'q=a;ssn',
      'q=a\u0001',
      'q=x^2',
      'q[$ne]=1',
      'q[]=1',
    ],
  }));

describe('rsql', () =>
  holdsTable({
    grammar: 'rsql',
    at: 'filter',
    fields,
    accepted: [
      ['filter=', []],
      ['filter=name==Li*', ['/name']],
      ['filter=name==Li;phone=in=(1,"2;3",\'x\')', ['/name', '/phone']],
      ['filter=name=="a;ssn==1"', ['/name']],
      ['filter=(name==a,phone!=b);address.city>=c', ['/name', '/phone', '/address/city']],
      ['filter=name==a and (phone=gt=1 or phone<3)', ['/name', '/phone']],
      ['filter=name', ['/name']],
    ],
    refused: [
      'filter=ssn==1',
      'filter=name==a;ssn==1',
      'filter=name==a,ssn==1',
      'filter=name=="a\\";ssn==1',
      'filter=name==a ssn==1',
      'filter=(name==a',
      'filter=name==a)',
      'filter=name==',
      'filter===a',
      'filter=name=exec=a',
      'filter=name~=a',
      'filter=name==(a',
      'filter=name==a;;phone==b',
      'filter=name==a;',
      `filter=${'('.repeat(30)}name==a${')'.repeat(30)}`,
      'filter[ssn]=1',
      'filter=name.ssn==1',
      'filter=name==a\\;ssn==1',
    ],
  }));

describe('fiql', () =>
  holdsTable({
    grammar: 'fiql',
    at: '_s',
    fields,
    accepted: [['_s=name==Li*;(phone=gt=1,id)', ['/name', '/phone', '/id', '/id_number']]],
    refused: ["_s=name=='a;ssn==1'", '_s=name=="a,ssn==1"', '_s=ssn'],
  }));
