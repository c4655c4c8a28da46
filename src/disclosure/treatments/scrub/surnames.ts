import { COMPOUND_SURNAMES } from '../masks/surnames.ts';

/** The surnames of about 99 % of China's people (Ministry of Public Security, 2020), simplified and traditional; not those that are mostly words. */
const SINGLE = new Set(
  '王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛' +
    '闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉' +
    '骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝' +
    '張劉陳楊黃趙吳孫馬鄭謝許韓馮鄧葉蘇盧蔣賈鄒陸譚範龍賴閻顧郝龔邵萬錢嚴湯齊喬龐顏莊聶魯倪關蘭紀寧單鮑騰饒賀羅鍾賓簡項連麥婁竇黨費衛蕭',
);

export const isSurname = (char: string): boolean => SINGLE.has(char);
export const isCompoundSurname = (pair: string): boolean => COMPOUND_SURNAMES.has(pair);
