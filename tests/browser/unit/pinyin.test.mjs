// Names are found by the initials of their pinyin.

import assert from 'node:assert/strict';
import test from 'node:test';

import { find, initials, key } from '../../../src/web/app/pinyin.js';

const found = (name, typed) => find(key(name), typed);

test('a channel is found by its initials, by a part of its name, by letters and digits', () => {
  for (const [name, typed, at] of [
    ['浙江卫视', 'zjws', 0],
    ['浙江卫视', 'ws', 2],
    ['浙江卫视', '卫视', 2],
    ['浙江卫视', '浙江w', 0],
    ['CCTV-13 新闻', 'cctv13', 0],
    ['CCTV-13 新闻', 'cctv 13 xw', 0],
    ['CCTV-13 新闻', 'XW', 6],
    ['ＣＣＴＶ１', 'cctv1', 0],
    ['Télé 7', 'tele7', 0],
    ['重庆卫视', 'cqws', 0],
    ['厦门卫视', 'xmws', 0],
    ['西藏卫视', 'xzws', 0],
    ['中国交通广播', 'zgjtgb', 0],
    ['音乐之声', 'yyzs', 0],
    ['浙江卫视', 'zjwx', -1],
    ['浙江卫视', 'zjwsx', -1],
    ['Das Erste', 'zj', -1],
  ]) {
    assert.equal(found(name, typed), at, `${name}: ${typed}`);
  }
});

// Node 18 sorts some characters otherwise than browsers of these years do.
const skip = Number(process.versions.node.split('.')[0]) < 20 && 'the collation of Node 18 is another';

test('rarer and traditional characters have an initial, others have none', { skip }, () => {
  assert.deepEqual([...'衢漯邯郸電視臺龍'].map(initials), [...'QLHDDSTL']);
  assert.deepEqual([...'aZ1- é'].map(initials), ['', '', '', '', '', '']);
});

test('the collation, which knows pinyin, agrees on GB 2312 level 1, but for characters of two readings', { skip }, () => {
  const order = new Intl.Collator('zh-u-co-pinyin');
  const firsts = [...'阿八嚓哒妸发旮哈丌咔垃妈拏噢妑七呥仨他屲夕丫帀'];
  const codes = new TextDecoder('gbk');
  let all = 0;
  const other = [];
  for (let code = 0xb0a1; code <= 0xd7f9; code++) {
    if ((code & 0xff) < 0xa1 || (code & 0xff) > 0xfe) continue;
    const character = codes.decode(new Uint8Array([code >> 8, code & 0xff]));
    const behind = firsts.findIndex((first) => order.compare(character, first) < 0);
    const letter = 'ABCDEFGHJKLMNOPQRSTWXYZ'.at(behind < 0 ? -1 : behind - 1);
    all += 1;
    if (!initials(character).includes(letter)) other.push(character);
  }
  assert.equal(all, 3755);
  // These have two readings, and GB 2312 took the other one.
  assert.equal(other.filter((c) => !'辟匙脯槛咯咳埔伺厦畜轧泊蛤茄吁曾'.includes(c)).join(''), '');
});

test('five hundred names are searched in a moment', () => {
  const keys = Array.from({ length: 500 }, (_, i) => key(`地方频道 ${i} 综合`));
  assert.equal(keys.filter((name) => find(name, 'pd499zh') >= 0).length, 1);
});
