/** A sample value for each kind of mask, for generated scenarios in which the value does not matter. */
export const SAMPLES: { readonly [mask: string]: string } = {
  person_name: '张三丰',
  national_id: '110101199003074514',
  phone: '13812345678',
  landline: '010-62511234',
  email: 'zhang@example.com',
  address: '中关村大街27号',
  bank_card: '6222020200112233445',
  plate: '京A12345',
  passport: 'E12345678',
  ip: '10.0.0.7',
};
