/**
 * Names of time zones and their abbreviations since 1970 (IANA time zone database 2025, public domain). A line holds
 * `minutes east of UTC:abbreviation`, with `since@` (seconds since 1970) before it where the abbreviation changed, and then the
 * zones. An offset without a name is abbreviated as a number, e.g. `+08`.
 */
const TABLE = `
 Africa/Casablanca Africa/El_Aaiun America/Araguaina America/Argentina/Buenos_Aires America/Argentina/Catamarca America/Argentina/ComodRivadavia America/Argentina/Cordoba America/Argentina/Jujuy America/Argentina/La_Rioja America/Argentina/Mendoza America/Argentina/Rio_Gallegos America/Argentina/Salta America/Argentina/San_Juan America/Argentina/San_Luis America/Argentina/Tucuman America/Argentina/Ushuaia America/Asuncion America/Bahia America/Belem America/Boa_Vista America/Bogota America/Buenos_Aires America/Campo_Grande America/Caracas America/Catamarca America/Cayenne America/Cordoba America/Coyhaique America/Cuiaba America/Eirunepe America/Fortaleza America/Godthab America/Guayaquil America/Guyana America/Jujuy America/La_Paz America/Lima America/Maceio America/Manaus America/Mendoza America/Montevideo America/Noronha America/Nuuk America/Paramaribo America/Porto_Acre America/Porto_Velho America/Punta_Arenas America/Recife America/Rio_Branco America/Rosario America/Santarem America/Santiago America/Sao_Paulo America/Scoresbysund Antarctica/Casey Antarctica/Davis Antarctica/DumontDUrville Antarctica/Mawson Antarctica/Palmer Antarctica/Syowa Asia/Aden Asia/Almaty Asia/Anadyr Asia/Aqtau Asia/Aqtobe Asia/Ashgabat Asia/Ashkhabad Asia/Atyrau Asia/Baghdad Asia/Bahrain Asia/Baku Asia/Bangkok Asia/Barnaul Asia/Bishkek Asia/Brunei Asia/Chita Asia/Choibalsan Asia/Colombo Asia/Dacca Asia/Dhaka Asia/Dili Asia/Dubai Asia/Dushanbe Asia/Ho_Chi_Minh Asia/Hovd Asia/Irkutsk Asia/Kabul Asia/Kamchatka Asia/Kashgar Asia/Kathmandu Asia/Katmandu Asia/Khandyga Asia/Krasnoyarsk Asia/Kuala_Lumpur Asia/Kuching Asia/Kuwait Asia/Magadan Asia/Muscat Asia/Novokuznetsk Asia/Novosibirsk Asia/Omsk Asia/Oral Asia/Phnom_Penh Asia/Qatar Asia/Qostanay Asia/Qyzylorda Asia/Rangoon Asia/Riyadh Asia/Saigon Asia/Sakhalin Asia/Samarkand Asia/Singapore Asia/Srednekolymsk Asia/Tashkent Asia/Tbilisi Asia/Tehran Asia/Thimbu Asia/Thimphu Asia/Tomsk Asia/Ulaanbaatar Asia/Ulan_Bator Asia/Urumqi Asia/Ust-Nera Asia/Vientiane Asia/Vladivostok Asia/Yakutsk Asia/Yangon Asia/Yekaterinburg Asia/Yerevan Atlantic/Cape_Verde Atlantic/South_Georgia Atlantic/Stanley Australia/Eucla Brazil/Acre Brazil/DeNoronha Brazil/East Brazil/West Chile/Continental Chile/EasterIsland Etc/GMT+1 Etc/GMT+10 Etc/GMT+11 Etc/GMT+12 Etc/GMT+2 Etc/GMT+3 Etc/GMT+4 Etc/GMT+5 Etc/GMT+6 Etc/GMT+7 Etc/GMT+8 Etc/GMT+9 Etc/GMT-1 Etc/GMT-10 Etc/GMT-11 Etc/GMT-12 Etc/GMT-13 Etc/GMT-14 Etc/GMT-2 Etc/GMT-3 Etc/GMT-4 Etc/GMT-5 Etc/GMT-6 Etc/GMT-7 Etc/GMT-8 Etc/GMT-9 Europe/Astrakhan Europe/Samara Europe/Saratov Europe/Ulyanovsk Indian/Chagos Indian/Christmas Indian/Cocos Indian/Kerguelen Indian/Mahe Indian/Maldives Indian/Mauritius Indian/Reunion Iran Kwajalein NZ-CHAT Pacific/Apia Pacific/Bougainville Pacific/Chatham Pacific/Chuuk Pacific/Easter Pacific/Efate Pacific/Enderbury Pacific/Fakaofo Pacific/Fiji Pacific/Funafuti Pacific/Galapagos Pacific/Gambier Pacific/Guadalcanal Pacific/Kanton Pacific/Kiritimati Pacific/Kosrae Pacific/Kwajalein Pacific/Majuro Pacific/Marquesas Pacific/Nauru Pacific/Niue Pacific/Norfolk Pacific/Noumea Pacific/Palau Pacific/Pitcairn Pacific/Pohnpei Pacific/Ponape Pacific/Port_Moresby Pacific/Rarotonga Pacific/Tahiti Pacific/Tarawa Pacific/Tongatapu Pacific/Truk Pacific/Wake Pacific/Wallis Pacific/Yap Singapore
-210:NST,-150:NDT,-90:NDDT America/St_Johns Canada/Newfoundland
-240:AST America/Anguilla America/Antigua America/Aruba America/Blanc-Sablon America/Curacao America/Dominica America/Grenada America/Guadeloupe America/Kralendijk America/Lower_Princes America/Marigot America/Miquelon America/Montserrat America/Port_of_Spain America/Puerto_Rico America/St_Barthelemy America/St_Kitts America/St_Lucia America/St_Thomas America/St_Vincent America/Tortola America/Virgin
-240:AST,-180:ADT America/Barbados America/Glace_Bay America/Halifax America/Martinique America/Moncton America/Thule Atlantic/Bermuda Canada/Atlantic
-240:AST,-180:ADT,-120:ADDT America/Goose_Bay
-300:CST,-240:CDT America/Havana Cuba
-300:EST America/Atikokan America/Cayman America/Coral_Harbour America/Panama EST
-300:EST,-240:AST America/Santo_Domingo
-300:EST,-240:EDT America/Detroit America/Fort_Wayne America/Indiana/Indianapolis America/Indiana/Vevay America/Indianapolis America/Jamaica America/Montreal America/Nassau America/New_York America/Nipigon America/Port-au-Prince America/Thunder_Bay America/Toronto Canada/Eastern EST5EDT Jamaica US/East-Indiana US/Eastern US/Michigan
-300:EST,-240:EDT,-360:CST;954662400@-300:CDT;972802800@-300:EST,-240:EDT America/Iqaluit America/Pangnirtung
-300:EST,-240:EDT;1143961200@-300:CDT,-360:CST America/Indiana/Tell_City
-300:EST,-240:EDT;1143961200@-300:CDT,-360:CST,-240:EDT;1194156000@-300:EST,-240:EDT America/Indiana/Winamac
-300:EST,-240:EDT;1143961200@-300:CDT,-360:CST;1194159600@-300:EST,-240:EDT America/Indiana/Vincennes
-300:EST,-240:EDT;126687600@-300:CDT;152089200@-300:EST,-240:EDT America/Indiana/Marengo America/Kentucky/Louisville America/Louisville
-300:EST,-240:EDT;1425798000@-240:AST;1520751600@-240:EDT,-300:EST America/Grand_Turk
-300:EST;104914800@-300:CDT,-360:CST America/Menominee
-360:CST America/Regina Canada/Saskatchewan
-360:CST,-300:CDT America/Belize America/Chicago America/Costa_Rica America/El_Salvador America/Guatemala America/Matamoros America/Mexico_City America/Monterrey America/Rainy_River America/Tegucigalpa America/Winnipeg CST6CDT Canada/Central Mexico/General US/Central
-360:CST,-300:CDT;247042800@-300:EST;1143961200@-300:CDT,-360:CST;1194159600@-300:EST,-240:EDT America/Indiana/Petersburg
-360:CST,-300:CDT;688546800@-300:EST;1143961200@-300:CDT,-360:CST America/Indiana/Knox America/Knox_IN US/Indiana-Starke
-360:CST,-300:CDT;891766800@-360:MDT,-420:MST;1667116800@-360:CST America/Chihuahua
-360:CST,-300:CDT;891766800@-360:MDT,-420:MST;1667116800@-360:CST,-300:CDT America/Ojinaga
-360:CST,-300:CDT;891766800@-360:MDT,-420:MST;1667116800@-360:CST,-420:MST;1678611600@-360:MDT,-420:MST America/Ciudad_Juarez
-360:CST,-300:CDT;972802800@-300:EST,-240:EDT America/Kentucky/Monticello
-360:CST,-300:CDT;972802800@-300:EST;986112000@-300:CDT,-360:CST America/Rankin_Inlet
-360:CST,-300:CDT;972802800@-300:EST;986112000@-300:CDT,-360:CST;1162105200@-300:EST;1173600000@-300:CDT,-360:CST America/Resolute
-360:CST,-300:EST;290584800@-300:CDT,-360:CST;694260000@-300:EST,-360:CST;1113112800@-300:CDT,-360:CST America/Managua
-360:CST,-300:EST;828864000@-300:CDT,-360:CST America/Merida
-360:CST,-300:EST;828864000@-300:CDT,-360:CST;877849200@-300:EST,-240:EDT;902037600@-300:CDT,-360:CST;1422777600@-300:EST America/Cancun
-420:MST America/Creston America/Phoenix MST US/Arizona
-420:MST,-360:CST America/Swift_Current
-420:MST,-360:MDT America/Boise America/Denver America/Edmonton America/Hermosillo America/Mazatlan America/Shiprock America/Yellowknife Canada/Mountain MST7MDT Mexico/BajaSur Navajo US/Mountain
-420:MST,-360:MDT,-300:CDT;1288508400@-360:CST,-300:CDT America/Bahia_Banderas
-420:MST,-360:MDT;1067155200@-360:CST,-300:CDT America/North_Dakota/New_Salem
-420:MST,-360:MDT;1289116800@-360:CST,-300:CDT America/North_Dakota/Beulah
-420:MST,-360:MDT;720000000@-360:CST,-300:CDT America/North_Dakota/Center
-420:MST,-360:MDT;941356800@-360:CST,-300:CDT;972802800@-300:EST,-360:CST;986115600@-360:MDT,-420:MST America/Cambridge_Bay
-480:PST,-420:PDT America/Ensenada America/Los_Angeles America/Santa_Isabel America/Tijuana America/Vancouver Canada/Pacific Mexico/BajaNorte PST8PDT US/Pacific
-480:PST,-420:PDT,-360:MDT;309945600@-420:MST,-360:MDT America/Inuvik
-480:PST,-420:PDT,-540:AKST;1457866800@-480:AKDT,-540:AKST;1541325600@-480:PST,-540:AKST;1552215600@-480:AKDT,-540:AKST America/Metlakatla
-480:PST,-420:PDT,-540:YST;439030800@-540:AKST,-480:AKDT America/Sitka
-480:PST,-420:PDT;1425808800@-420:MST America/Fort_Nelson
-480:PST,-420:PDT;1604214000@-420:MST America/Whitehorse Canada/Yukon
-480:PST,-420:PDT;325677600@-480:YDT;341402400@-480:PST,-420:PDT,-540:YST;439030800@-540:AKST,-480:AKDT America/Juneau
-480:PST,-420:PDT;84013200@-420:MST America/Dawson_Creek
-540:YST,-480:PST,-420:PDT;1604214000@-420:MST America/Dawson
-540:YST,-480:YDT;439030800@-540:AKST,-480:AKDT America/Yakutat
-600:AHST,-540:AHDT;436359600@-540:YST;439030800@-540:AKST,-480:AKDT America/Anchorage US/Alaska
-600:HST HST Pacific/Honolulu Pacific/Johnston US/Hawaii
-660:BST,-600:BDT,-540:YST;439030800@-540:AKST,-480:AKDT America/Nome
-660:BST,-600:BDT;436363200@-600:AHST;439034400@-600:HST,-540:HDT America/Adak America/Atka US/Aleutian
-660:SST Pacific/Midway Pacific/Pago_Pago Pacific/Samoa US/Samoa
0:-00 Antarctica/Rothera Antarctica/Vostok
0:-00;1108166400@ Antarctica/Troll
0:GMT Africa/Abidjan Africa/Accra Africa/Bamako Africa/Banjul Africa/Bissau Africa/Conakry Africa/Dakar Africa/Freetown Africa/Lome Africa/Nouakchott Africa/Ouagadougou Africa/Timbuktu America/Danmarkshavn Atlantic/Reykjavik Atlantic/St_Helena Etc/GMT Etc/GMT+0 Etc/GMT-0 Etc/GMT0 Etc/Greenwich GMT GMT+0 GMT-0 GMT0 Greenwich Iceland
0:GMT,-44.5:MMT Africa/Monrovia
0:GMT,60:BST Europe/Belfast Europe/Guernsey Europe/Isle_of_Man Europe/Jersey Europe/London GB GB-Eire
0:GMT,60:IST Eire Europe/Dublin
0:GMT,60:WAT Africa/Sao_Tome
0:UTC Etc/UCT Etc/UTC Etc/Universal Etc/Zulu UCT UTC Universal Zulu
0:WET,60:CET;228268800@0:WET,60:WEST;717555600@60:CET,120:CEST;828234000@0:WET,60:WEST Europe/Lisbon Portugal
0:WET,60:WEST Atlantic/Canary Atlantic/Faeroe Atlantic/Faroe Atlantic/Madeira WET
0:WET,60:WEST;246236400@0:WET,60:CET,120:CEST;325468800@0:WET,60:WEST;357523200@60:CET Africa/Algiers
0:WET,60:WEST;448243200@60:CET,120:CEST Africa/Ceuta
120:CAT Africa/Blantyre Africa/Bujumbura Africa/Gaborone Africa/Harare Africa/Kigali Africa/Lubumbashi Africa/Lusaka Africa/Maputo
120:CAT,180:CAST;947930400@120:CAT,180:EAT Africa/Juba Africa/Khartoum
120:EET,180:EEST Africa/Cairo Asia/Beirut Asia/Nicosia EET Egypt Europe/Athens Europe/Bucharest Europe/Helsinki Europe/Mariehamn Europe/Nicosia Europe/Sofia
120:EET,180:EEST;1473282000@120:EET;1521939600@120:EET,180:EEST Asia/Famagusta
120:EET,180:EEST;1666904400@ Asia/Damascus
120:EET,180:EEST;1666908000@ Asia/Amman
120:EET,180:EEST;267915600@120:EET;482799600@120:EET,180:EEST;1473195600@ Asia/Istanbul Europe/Istanbul Turkey
120:EET,180:MSK,240:MSD;701827200@120:EET,180:EEST,240:MSD;780447600@180:MSK,240:MSD;859683600@120:EET,180:EEST,240:MSK;1414274400@180:MSK Europe/Simferopol
120:IST,180:IDT Asia/Jerusalem Asia/Tel_Aviv Israel
120:IST,180:IDT;820447200@120:EET,180:EEST Asia/Gaza Asia/Hebron
120:SAST Africa/Johannesburg Africa/Maseru Africa/Mbabane
120:SAST;637970400@60:WAT,120:CAT Africa/Windhoek
180:EAT Africa/Addis_Ababa Africa/Asmara Africa/Asmera Africa/Dar_es_Salaam Africa/Djibouti Africa/Kampala Africa/Mogadishu Africa/Nairobi Indian/Antananarivo Indian/Comoro Indian/Mayotte
180:MSK,240:MSD;606870000@120:EET,180:EEST Europe/Riga Europe/Tallinn
180:MSK,240:MSD;606870000@120:EET,180:EEST;1301184000@120:EET Europe/Kaliningrad
180:MSK,240:MSD;606870000@120:EET,180:EEST;891133200@60:CET,120:CEST;941331600@120:EET,180:EEST Europe/Vilnius
180:MSK,240:MSD;641944800@120:EET,180:EEST Europe/Chisinau Europe/Tiraspol
180:MSK,240:MSD;646783200@120:EET,180:EEST Europe/Kiev Europe/Kyiv Europe/Uzhgorod Europe/Zaporozhye
180:MSK,240:MSD;670374000@120:EET,180:EEST;1301184000@ Europe/Minsk
180:MSK,240:MSD;670374000@120:EET,180:EEST;695779200@180:MSK,240:MSD;1301180400@180:MSK,240:MSK Europe/Moscow W-SU
330:IST Asia/Calcutta Asia/Kolkata
420:WIB Asia/Jakarta
420:WIB,480:WITA Asia/Pontianak
480:AWST,540:AWDT Australia/Perth Australia/West
480:CST,540:CDT Asia/Chongqing Asia/Chungking Asia/Harbin Asia/Macao Asia/Macau Asia/Shanghai Asia/Taipei PRC ROC
480:HKT,540:HKST Asia/Hong_Kong Hongkong
480:PST,540:PDT Asia/Manila
480:WITA Asia/Makassar Asia/Ujung_Pandang
510:KST,540:KST Asia/Pyongyang
540:JST Asia/Tokyo Japan
540:KST,600:KDT Asia/Seoul ROK
540:WIT Asia/Jayapura
570:ACST Australia/Darwin Australia/North
570:ACST,630:ACDT Australia/Adelaide Australia/Broken_Hill Australia/South Australia/Yancowinna
600:AEST Australia/LHI Australia/Lord_Howe
600:AEST,660:AEDT Antarctica/Macquarie Australia/ACT Australia/Brisbane Australia/Canberra Australia/Currie Australia/Hobart Australia/Lindeman Australia/Melbourne Australia/NSW Australia/Queensland Australia/Sydney Australia/Tasmania Australia/Victoria
600:GST,660:GDT;977493600@600:ChST Pacific/Guam Pacific/Saipan
60:CET,120:CEST Africa/Tunis Arctic/Longyearbyen Atlantic/Jan_Mayen CET Europe/Amsterdam Europe/Andorra Europe/Belgrade Europe/Berlin Europe/Bratislava Europe/Brussels Europe/Budapest Europe/Busingen Europe/Copenhagen Europe/Gibraltar Europe/Ljubljana Europe/Luxembourg Europe/Madrid Europe/Malta Europe/Monaco Europe/Oslo Europe/Paris Europe/Podgorica Europe/Prague Europe/Rome Europe/San_Marino Europe/Sarajevo Europe/Skopje Europe/Stockholm Europe/Tirane Europe/Vaduz Europe/Vatican Europe/Vienna Europe/Warsaw Europe/Zagreb Europe/Zurich Poland
60:CET,120:EET;386463600@60:CET,120:CEST;641775600@60:CET,120:EET;860108400@120:CEST;875916000@60:CET,120:EET;1364515200@120:CEST;1382659200@120:EET Africa/Tripoli Libya
60:MET,120:MEST MET
60:WAT Africa/Bangui Africa/Brazzaville Africa/Douala Africa/Kinshasa Africa/Lagos Africa/Libreville Africa/Luanda Africa/Malabo Africa/Niamey Africa/Porto-Novo
60:WAT,120:WAST Africa/Ndjamena
720:NZST,780:NZDT Antarctica/McMurdo Antarctica/South_Pole NZ Pacific/Auckland
;38775600@300:PKT,360:PKST Asia/Karachi
;575416800@180:MSK,240:MSD;670374000@;701820000@180:MSK,240:MSD;1301180400@180:MSK,240:MSK;1540681200@180:MSK Europe/Volgograd
;606866400@180:MSK,240:MSD;670374000@;701820000@180:MSK,240:MSD;1301180400@180:MSK,240:MSK Europe/Kirov
;725421600@0:WET,60:WEST;740278800@ Atlantic/Azores
`;

interface Names {
  readonly since: number;
  readonly byMinutes: ReadonlyMap<number, string>;
}

const read = (text: string): Names[] =>
  text.split(';').map((period) => {
    const [names = '', since] = period.split('@').reverse();
    const pairs = names.split(',').filter((pair) => pair !== '');
    return {
      since: since === undefined ? Number.NEGATIVE_INFINITY : Number(since),
      byMinutes: new Map(
        pairs.map((pair) => [Number(pair.split(':')[0]), pair.split(':')[1] ?? ''] as const),
      ),
    };
  });

const zones = new Map<string, readonly Names[]>();
for (const line of TABLE.split('\n').filter((l) => l !== '')) {
  const [text = '', ...names] = line.split(' ');
  const periods = read(text);
  for (const name of names) zones.set(name, periods);
}

/** case-sensitive, since Go finds zones as files */
export const isZoneName = (name: string): boolean => zones.has(name);

const numeric = (offset: number): string => {
  const minutes = Math.floor(Math.abs(offset) / 60);
  const hours = String(Math.floor(minutes / 60)).padStart(2, '0');
  const rest = minutes % 60 === 0 ? '' : String(minutes % 60).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${hours}${rest}`;
};

export const abbreviationOf = (zone: string, seconds: number, offset: number): string => {
  const period = zones.get(zone)?.findLast(({ since }) => since <= seconds);
  return period?.byMinutes.get(offset / 60) ?? numeric(offset);
};
