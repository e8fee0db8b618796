// Bundles an entry file of this directory for the web app: node bundle.mjs ENTRY OUT BANNER

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const [entry, outfile, banner] = process.argv.slice(2);

// Parts of mpegts.js that the player has no use for: modules, with what stands in their place, and methods of its
// demuxer. The player is given H.264, HEVC, AAC, AC-3 and E-AC-3 alone; it plays HLS itself, and MP2 becomes a track of
// sound by our own code.
const ABSENT = '{ constructor() { throw new Error("this part was left out"); } }';
const MODULES = {
  'audio/pcm-audio-player.ts': `export class PCMAudioPlayer ${ABSENT}`,
  'decoder/worker-audio-decoder.ts': `export class WorkerAudioDecoder ${ABSENT}`,
  'player/hls-player.ts': 'export function createHlsPlayer() { throw new Error("HLS was left out"); }',
};
const DEMUXER = 'demux/ts-demuxer.ts';
const METHODS = [
  'parseSCTE35',
  'parseOpusPayload',
  'parseMP3Payload',
  'parsePESPrivateDataPayload',
  'parseTimedID3MetadataPayload',
  'parsePGSPayload',
  'parseSynchronousKLVMetadataPayload',
  'parseAsynchronousKLVMetadataPayload',
  'parseSMPTE2038MetadataPayload',
];
const left = new Set([...Object.keys(MODULES), ...METHODS]);

/** The demuxer with empty bodies for these methods, each of which ends at its own indent. */
function without(text) {
  return METHODS.reduce((all, name) => {
    const method = new RegExp(`\\n\tprivate ${name}\\([\\s\\S]*?\\n\t}\\n`);
    if (method.test(all)) left.delete(name);
    return all.replace(method, `\n\tprivate ${name}(..._all: unknown[]): void {}\n`);
  }, text);
}

const settings = {
  bundle: true,
  minify: true,
  charset: 'utf8',
  drop: ['console'],
  mangleProps: /^_[a-zA-Z]|[a-z]_$/, // names that its writers keep to themselves
  legalComments: 'none',
  target: ['chrome90', 'firefox90', 'safari15'],
};

const leaving = {
  name: 'leaving out',
  setup(building) {
    building.onLoad({ filter: /mpegts\.js\/src\/.*\.ts$/ }, ({ path: file }) => {
      const name = file.split('/mpegts.js/src/')[1];
      left.delete(name);
      const text = MODULES[name] ?? readFileSync(file, 'utf8');
      // What it would tell a console is dropped with what it calls for that.
      const quiet = text.replace(/\bLog\.[vdiwe]\(/g, 'console.log(');
      return { contents: name === DEMUXER ? without(quiet) : quiet, loader: 'ts' };
    });
  },
};

/** `?worker&inline`: the script of a worker, within the module, as a text. */
const inline = {
  name: 'inline workers',
  setup(building) {
    building.onResolve({ filter: /\?worker&inline$/ }, ({ path: name, resolveDir }) => ({
      path: path.resolve(resolveDir, name.split('?')[0]),
      namespace: 'worker',
    }));
    building.onLoad({ filter: /.*/, namespace: 'worker' }, async ({ path: file }) => {
      const made = await build({ ...settings, entryPoints: [file], format: 'iife', write: false, plugins: [leaving] });
      const script = JSON.stringify(made.outputFiles[0].text);
      const contents = `const blob = new Blob([${script}], { type: 'text/javascript' });
        export default class { constructor() { return new Worker(URL.createObjectURL(blob)); } }`;
      return { contents };
    });
  },
};

await build({ ...settings, entryPoints: [entry], outfile, format: 'esm', banner: { js: banner }, plugins: [inline, leaving] });
if (readFileSync(entry, 'utf8').includes('mpegts.js') && left.size > 0) {
  throw new Error(`to be left out, and not found: ${[...left].join(', ')}`);
}
