// Finding a channel by what is typed: a part of its name, or the initials of its pinyin ("zjws" for 浙江卫视).
//
// GB 2312 orders its first 3755 characters by pinyin, so where each initial begins there is all that is needed; browsers
// decode it (Encoding Standard: gbk). Rarer and traditional characters are placed by the collation, where it knows
// pinyin.

const INITIALS = 'ABCDEFGHJKLMNOPQRSTWXYZ';

/** The code in GB 2312 at which each of INITIALS begins. */
const BEGINS = [
  0xb0a1, 0xb0c5, 0xb2c1, 0xb4ee, 0xb6ea, 0xb7a2, 0xb8c1, 0xb9fe, 0xbbf7, 0xbfa6, 0xc0ac, 0xc2e8, 0xc4c3, 0xc5b6, 0xc5be,
  0xc6da, 0xc8bb, 0xc8f6, 0xcbfa, 0xcdda, 0xcef4, 0xd1b9, 0xd4d1,
];
const LAST = 0xd7f9;

/** The first character of each of INITIALS in the pinyin collation. */
const FIRSTS = '吖八嚓哒妸发旮哈丌咔垃妈拏噢妑七呥仨他屲夕丫帀';

/** Characters of channels' names that are read in a second way, each with its initial there. */
const ALSO =
  '重C乐Y长Z行H厦X藏Z朝Z曾C传Z会K调T单S番P泊P埔P浦B车J少S省X盛C石D弹D区O解X降X校J系J给J奇J柏B秘B曲Q都D朴P仔Z参S' +
  '差C圈J术Z宿X折S识Z大D伺S畜X吁X茄J辟B蛤H脯F匙C';

/** Initials by character: all of GB 2312's first level. */
let known = null;

function firstLevel() {
  if (known) return known;
  known = new Map();
  try {
    const codes = new TextDecoder('gbk');
    let at = 0;
    for (let code = BEGINS[0]; code <= LAST; code++) {
      if ((code & 0xff) < 0xa1 || (code & 0xff) > 0xfe) continue;
      if (code >= BEGINS[at + 1]) at++;
      known.set(codes.decode(new Uint8Array([code >> 8, code & 0xff])), INITIALS[at]);
    }
  } catch {
    // A browser without this coding: the collation does what it can.
  }
  for (let i = 0; i < ALSO.length; i += 2) {
    const first = known.get(ALSO[i]) ?? '';
    if (!first.includes(ALSO[i + 1])) known.set(ALSO[i], first + ALSO[i + 1]);
  }
  return known;
}

let collation;

/** The collation by pinyin; `null` where this browser has none. */
function byPinyin() {
  if (collation === undefined) {
    const found = new Intl.Collator('zh-u-co-pinyin');
    const inOrder = [...FIRSTS].every((c, i, all) => i === 0 || found.compare(all[i - 1], c) < 0);
    collation = inOrder ? found : null;
  }
  return collation;
}

/**
 * The initials that a character can be typed by: one, two, or none where it is no Chinese character.
 * @param {string} character
 * @returns {string}
 */
export function initials(character) {
  const found = firstLevel().get(character);
  if (found || !/\p{Script=Han}/u.test(character)) return found ?? '';
  const order = byPinyin();
  if (!order) return '';
  const behind = [...FIRSTS].findIndex((first) => order.compare(character, first) < 0);
  return behind === 0 ? '' : INITIALS.at(behind < 0 ? -1 : behind - 1);
}

/**
 * A name as it is searched: each letter, digit and Chinese character with what it may be typed by.
 * @param {string} name
 * @returns {string[]}
 */
export function key(name) {
  const letters = [...plain(name)].filter((c) => /[\p{L}\p{N}]/u.test(c));
  return letters.map((c) => c + initials(c).toLowerCase());
}

/** Small letters without accents, full-width forms as plain ones: "Télé" is found by "tele". */
function plain(text) {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

/**
 * Where in the name what was typed is found: 0 is its beginning, -1 not at all.
 * @param {string[]} name a `key`
 * @param {string} typed
 */
export function find(name, typed) {
  const wanted = [...plain(typed)].filter((c) => /[\p{L}\p{N}]/u.test(c));
  for (let at = 0; at + wanted.length <= name.length; at++) {
    if (wanted.every((c, i) => name[at + i].includes(c))) return at;
  }
  return -1;
}
