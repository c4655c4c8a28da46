/**
 * Class: a value that its label or key names stayed readable, because the finder did not know that label. Root cause: each kind of label was
 * one pattern written out letter by letter, in some spellings and not in others, and a telephone number was known in the mainland's groups alone.
 */
import { expect, test } from 'vitest';
import { scrubText } from '../../src/disclosure/treatments/scrub.ts';

/** as members of old systems are called: camel case, snake case, capitals, pinyin and its initials */
test.each([
  [
    '110101199003074515',
    'idNo idCard id_card certNo identityNumber IDCARD ID_NO cardId nationalId national_id',
  ],
  ['110101199003074515', 'sfz sfzh sfzhm zjh zjhm gmsfhm shenfenzheng shenfenzhenghao zhengjianhaoma'],
  [
    '6222020200012345671',
    'bankCard accountNo accNo acctNo bankAccount bank_account payAccount cardNumber a/c_no',
  ],
  ['6222020200012345671', 'yhkh yhzh zhanghao yinhangkahao kahao'],
  ['12345678901', 'tel mobile MOBILE_NO contactPhone sjh lxdh yddh lianxidianhua shoujihao'],
  ['E12345678', 'passport passportNo PASSPORT_NO travelDoc hzhm huzhao txzhm'],
])('masks %s behind the keys %s', (value, keys) => {
  for (const key of keys.split(' ')) {
    for (const note of [`{"${key}":"${value}"}`, `${key}=${value};`, `{\\"${key}\\":\\"${value}\\"}`])
      expect([note, scrubText(note).includes(value)]).toEqual([note, false]);
  }
});

test.each([
  ['驾驶证 110101199003074515', '驾驶证 110101********4515'],
  ['驾驶证档案编号 440300123456', '驾驶证档案编号 4*********56'],
  ['社会保障号：110101199003074515', '社会保障号：110101********4515'],
  ['医保卡号X10293847', '医保卡号X******47'],
  ['入出境许可证 123456789012', '入出境许可证 1*********12'],
  ['残疾人证 11010119900307451541', '残疾人证 ****'],
  ['结婚证字号 J110101-2015-001234', '结婚证字号 ****'],
  ['退伍证：苏字第20011234号', '退伍证：****'],
  ['证件类型：军官证 证件号码：军字第1234567号', '证件类型：军官证 证件号码：****'],
  ['港澳通行证 号码 C12345678', '港澳通行证 号码 C******78'],
  ['护照（中国）E12345678', '护照（中国）E******78'],
  ['護照，號碼E12345678', '護照，號碼E******78'],
  ['Passport (China) E12345678', 'Passport (China) E******78'],
  ['統一編號 A123456788', '統一編號 A1*****788'],
  ['纳税人识别号：110101199003074515', '纳税人识别号：110101********4515'],
  ['Macau ID 1234567(8)', 'Macau ID 1******(*)'],
  ['Driver License: D1234567', 'Driver License: D12*****'],
  ['NRIC S1234567D', 'NRIC S******7D'],
  ['SSN 123-45-6789', 'SSN 1**-**-**89'],
  ['주민등록번호 900101-1234567', '주민등록번호 ****'],
  ['存折 1202020200012345', '存折 ************2345'],
  ['工资卡6222020200012345671', '工资卡***************5671'],
  ['赔款打到6222020200012345671', '赔款打到***************5671'],
])('masks the number in %s', (note, scrubbed) => {
  expect(scrubText(note)).toBe(scrubbed);
});

test.each([
  '0044 7911 123456',
  '00852 9123 4567',
  '852-91234567',
  '010-1234-5678',
  '090-1234-5678',
  '0412 345 678',
  '(02) 2345-6789',
  '06 12 34 56 78',
  'call 98765 43210',
  '固话0755-1234567',
])('masks %s, a telephone number of another plan or mistyped', (number) => {
  expect((scrubText(number).match(/\*/g) ?? []).length).toBeGreaterThanOrEqual(4);
});

test.each([
  ['姓 名：张伟', '姓 名：张*'],
  ['姓&emsp;&emsp;名：李四', '姓&emsp;&emsp;名：李*'],
  ['姓名：Иван Иванов (李伟)', '姓名：И*** И***** (李*)'],
  ['姓名：金哲洙(김철수)', '姓名：金**(김**)'],
  ['联系人：アリス', '联系人：ア**'],
  ['客户姓名：CHAN, Tai Man 陳大文', '客户姓名：C***, T** M** 陳**'],
  ['%u59D3%u540D%uFF1A%u5F20%u4F1F', '%u59D3%u540D%uFF1A%u5F20*'],
])('masks the name in %s', (note, scrubbed) => {
  expect(scrubText(note)).toBe(scrubbed);
});

test.each([
  '发票号码12345678，税额130元',
  'the case number is 12345678',
  'order number is 20231105',
  '护照2018-05-20签发',
  '结婚证 2018年领取',
  '身份证2028-01-01到期',
  '账户余额不足，账户编号 C100234',
  'account balance 1234567.89 CNY',
  '卡片编号20231105123456',
  '统一社会信用代码 91110101MA01234567',
  '{"accountId":"202311051234567890"}',
  '{"certType":"111","idType":"01"}',
  '{"sbh":"SB-2023"}',
  '物料00123-456789',
  'my number one reason 12345',
  '100%unused',
])('leaves what only looks so: %s', (note) => {
  expect(scrubText(note)).toBe(note);
});
