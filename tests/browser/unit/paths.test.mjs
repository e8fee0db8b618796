import assert from 'node:assert/strict';
import test from 'node:test';
import { decide, flacName, listening, probe, selection, tracks } from '../../../src/web/app/player/paths.js';

const component = (codec, pid = 1, language = null) => ({ codec, pid, language });
const channel = (...components) => ({ components });

/** A browser with these paths that decodes MSE types and native types matching the patterns. */
const browser = (paths, type, native = /./) => ({
  paths, type: (mime) => type.test(mime), native: (mime) => native.test(mime), wasm: true,
});
const chromium = browser(['mse'], /avc1|mp4a|flac/);
const safari = browser(['mse', 'hls'], /avc1|hvc1|mp4a|ac-3|ec-3|fLaC/, /aac|ac-3|ec-3/);
const iphone = browser(['mms', 'hls'], /avc1|hvc1|mp4a|ac-3|ec-3|fLaC/, /aac|ac-3|ec-3/);
const oldPhone = browser(['hls'], /^$/, /aac|ac-3/);

test('each kind of channel goes its way in each browser', () => {
  const kinds = {
    'h264 aac': ['mse', 'mse', 'mms', 'hls'],
    'h264 mp2': ['mse', 'mse', 'mms', 'hls!'],
    'h264 aac-latm': ['mse', 'mse', 'mms', 'hls!'],
    'h264 ac3': ['mse!', 'mse', 'mms', 'hls'],
    'h264 eac3': ['mse!', 'mse', 'mms', 'hls!'],
    'h264 dra': ['mse!', 'mse!', 'mms!', 'hls!'],
    'hevc aac': ['external', 'mse', 'mms', 'external'],
    'mpeg2video mp2': ['external', 'external', 'external', 'external'],
    'avs ac3': ['external', 'external', 'external', 'external'],
    'avs2 aac': ['external', 'external', 'external', 'external'],
    h264: ['mse', 'mse', 'mms', 'hls'],
    aac: ['mse', 'mse', 'mms', 'hls'],
    mp2: ['mse', 'mse', 'mms', 'external'],
    dra: ['external', 'external', 'external', 'external'],
    '': ['mse', 'mse', 'mms', 'hls'],
  };
  for (const [kind, expected] of Object.entries(kinds)) {
    const components = kind.split(' ').filter(Boolean).map((codec, i) => component(codec, 100 + i));
    const got = [chromium, safari, iphone, oldPhone].map((caps) => {
      const { path, why } = decide(channel(...components), caps);
      assert.equal(path === 'external', why === 'codec', kind);
      return path + (why === 'noSound' ? '!' : '');
    });
    assert.deepEqual(got, expected, kind);
  }
});

test('a second audio track that can be played goes before a first that cannot', () => {
  const two = channel(component('h264', 1), component('dra', 2, 'chi'), component('aac', 3, 'eng'));
  assert.deepEqual(decide(two, chromium), { path: 'mse', audio: 2, why: null });
  const many = channel(component('h264', 1), component('mp2', 2, 'fra'), component('teletext', 4), component('mp2', 3, 'eng'));
  assert.equal(decide(many, chromium).audio, 1);
  assert.equal(decide(many, chromium, { language: 'eng' }).audio, 3);
  assert.equal(decide(many, chromium, { language: 'eng', audio: 1 }).audio, 1);
  assert.equal(decide(many, chromium, { language: 'deu', audio: 9 }).audio, 1);
  assert.deepEqual(tracks(many, 'mse', chromium), [1, 3]);
  assert.deepEqual(tracks(many, 'hls', safari), []);
  assert.equal(decide(two, oldPhone).why, 'noSound', 'native HLS takes the first track as it comes');
});

test('sound is a reason to take another path, and a preference goes first where it can', () => {
  const caps = browser(['mse', 'hls'], /avc1/, /aac/);
  const plain = channel(component('h264'), component('aac'));
  assert.deepEqual(decide(plain, caps), { path: 'hls', audio: 1, why: null });
  assert.equal(decide(plain, safari, { prefer: 'hls' }).path, 'hls');
  assert.equal(decide(channel(component('h264'), component('mp2')), safari, { prefer: 'hls' }).path, 'mse');
  assert.deepEqual(decide(plain, browser([], /./)), { path: 'external', audio: null, why: 'tooOld' });
});

test('MP2 needs WebAssembly and a name for FLAC', () => {
  assert.equal(flacName(chromium.type), 'flac');
  assert.equal(flacName(iphone.type), 'fLaC');
  assert.equal(flacName(() => false), null);
  const mp2 = channel(component('h264'), component('mp2'));
  assert.equal(decide(mp2, { ...chromium, wasm: false }).why, 'noSound');
});

test('a browser is asked for what it has', () => {
  const video = { canPlayType: (mime) => (mime.includes('mpegurl') ? 'maybe' : '') };
  const none = { canPlayType: () => '' };
  const source = { isTypeSupported: (mime) => mime === 'yes' };
  assert.deepEqual(probe(video, { MediaSource: source, ManagedMediaSource: source }).paths, ['mse', 'hls']);
  assert.deepEqual(probe(video, { ManagedMediaSource: source }).paths, ['mms', 'hls']);
  assert.deepEqual(probe(none, {}).paths, []);
  const caps = probe(none, { ManagedMediaSource: source, WebAssembly: {} });
  assert.deepEqual([caps.type('yes'), caps.type('no'), caps.native('x'), caps.wasm], [true, false, false, true]);
  assert.equal(probe(none, {}).type('yes'), false);
});

test('the feed keeps the chosen track alone, and takes MP2 for itself', () => {
  const tv = channel(component('h264', 10), component('mp2', 11), component('ac3', 12), component('dvbsub', 13));
  assert.deepEqual(selection(tv, 1), { keep: [], hide: [11, 12], mp2: 11, h264: 10, sound: false });
  assert.deepEqual(selection(tv, 2), { keep: [[12, 0x81]], hide: [11], mp2: null, h264: 10, sound: false });
  assert.deepEqual(selection(tv, null), { keep: [], hide: [11, 12], mp2: null, h264: 10, sound: false });
  assert.equal(selection(channel(component('aac', 9)), 0).sound, true);
  assert.deepEqual(selection(listening(tv), 0), { keep: [], hide: [11, 12, 10], mp2: 11, h264: null, sound: true });
});
