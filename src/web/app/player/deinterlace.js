// Interlaced pictures on a progressive screen: where lines of the two fields differ by a comb, the one field is made of
// its own lines. Fields are shown one after the other, as they were taken. It looks first whether there are combs at
// all, and goes when the machine is too slow for it.

const VERTEX = `attribute vec2 p; varying vec2 v;
void main() { v = vec2(p.x * .5 + .5, .5 - p.y * .5); gl_Position = vec4(p, 0., 1.); }`;

/** `odd`: which field is shown; the lines of the other are kept only where they do not stand out. */
const FRAGMENT = `precision mediump float; varying vec2 v; uniform sampler2D t; uniform float height; uniform float odd;
void main() {
  float line = floor(v.y * height);
  float d = 1. / height;
  vec2 at = vec2(v.x, (line + .5) * d);
  vec4 here = texture2D(t, at);
  if (abs(mod(line, 2.) - odd) > .5) {
    vec4 above = texture2D(t, at - vec2(0., d)), below = texture2D(t, at + vec2(0., d));
    vec4 mean = (above + below) * .5;
    vec3 comb = (above.rgb - here.rgb) * (below.rgb - here.rgb);
    here = mix(here, mean, step(.0016, max(comb.r, max(comb.g, comb.b))));
  }
  gl_FragColor = here;
}`;

/** Heights that broadcasts have interlaced. */
const HEIGHTS = [480, 576, 1080, 1088];
/** So many looks have to show combs. */
const ENOUGH = 3;
/** Looks come at first so often (ms), and after so many of them seldom: a picture may stand still. */
const OFTEN = 150;
const LOOKS = 12;
const SELDOM = 2000;
/** A share of combed points above this is no noise. */
const COMBS = 0.003;
/** A share of dropped pictures above this, over two seconds, and it goes. */
const DROPS = 0.1;

/**
 * How much of a grey picture is combed, 0 to 1: lines that lie outside of both their neighbours, by more than noise.
 * @param {Uint8ClampedArray} rgba
 */
export function combed(rgba, width, height) {
  let count = 0;
  for (let y = 1; y < height - 1; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const i = (y * width + x) * 4 + 1;
      const up = rgba[i - width * 4] - rgba[i];
      const down = rgba[i + width * 4] - rgba[i];
      if (up * down > 400) count += 1;
    }
  }
  return count / (width * (height - 2));
}

/** Whether pictures were dropped too often between two counts. */
export function drops(before, after) {
  const total = after.total - before.total;
  return total > 20 && (after.dropped - before.dropped) / total > DROPS;
}

export class Deinterlacer {
  /** `canvas` lies over `video`; `onGone` is told when the machine was too slow. */
  constructor(video, canvas, onGone) {
    Object.assign(this, { video, canvas, onGone, gl: null, running: false, token: 0, tooSlow: false });
    this.probe = document.createElement('canvas');
    this.probe.width = 48;
  }

  /** A stream begins: looks for combs, and works if there are some. */
  begin() {
    this.end();
    if (this.tooSlow || !this.video.requestVideoFrameCallback) return;
    const token = this.token;
    let looks = 0;
    let found = 0;
    const look = () => {
      if (token !== this.token) return;
      const { videoHeight, videoWidth } = this.video;
      if (videoHeight && !HEIGHTS.includes(videoHeight)) return;
      looks += 1;
      if (videoHeight && this.sees(videoWidth, videoHeight)) found += 1;
      if (found >= ENOUGH) this.run(token);
      else setTimeout(() => this.video.requestVideoFrameCallback(look), looks < LOOKS ? OFTEN : SELDOM);
    };
    this.video.requestVideoFrameCallback(look);
  }

  /** Looks at some strips of the picture, line by line. */
  sees(width, height) {
    const { probe } = this;
    if (probe.height !== height) probe.height = height;
    const context = probe.getContext('2d', { willReadFrequently: true });
    return [0.2, 0.4, 0.6, 0.8].some((x) => {
      const left = Math.round(width * x - probe.width / 2);
      context.drawImage(this.video, left, 0, probe.width, height, 0, 0, probe.width, height);
      return combed(context.getImageData(0, 0, probe.width, height).data, probe.width, height) > COMBS;
    });
  }

  setUp() {
    const gl = this.canvas.getContext('webgl', { alpha: false, antialias: false, desynchronized: true });
    if (!gl) return false;
    const shader = (type, source) => {
      const made = gl.createShader(type);
      gl.shaderSource(made, source);
      gl.compileShader(made);
      return made;
    };
    const program = gl.createProgram();
    gl.attachShader(program, shader(gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, shader(gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return false;
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.bindAttribLocation(program, 0, 'p');
    gl.vertexAttribPointer(gl.getAttribLocation(program, 'p'), 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const [name, value] of [[gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
      [gl.TEXTURE_MIN_FILTER, gl.NEAREST], [gl.TEXTURE_MAG_FILTER, gl.LINEAR]]) gl.texParameteri(gl.TEXTURE_2D, name, value);
    this.height = gl.getUniformLocation(program, 'height');
    this.odd = gl.getUniformLocation(program, 'odd');
    this.gl = gl;
    return true;
  }

  run(token) {
    if (!this.gl && !this.setUp()) return;
    this.running = true;
    let before = this.count();
    let last = 0;
    const draw = (field) => {
      this.gl.uniform1f(this.odd, field);
      this.gl.drawArrays(this.gl.TRIANGLE_STRIP, 0, 4);
    };
    const show = (now, { mediaTime }) => {
      if (token !== this.token) return;
      const { gl, video, canvas } = this;
      const { videoWidth: width, videoHeight: height } = video;
      if (canvas.width !== width || canvas.height !== height) {
        Object.assign(canvas, { width, height });
        gl.viewport(0, 0, width, height);
        gl.uniform1f(this.height, height);
      }
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, video);
      draw(0);
      canvas.hidden = false;
      const each = mediaTime - last;
      if (each > 0.015 && each < 0.05) setTimeout(() => token === this.token && draw(1), each * 500);
      last = mediaTime;
      video.requestVideoFrameCallback(show);
    };
    this.video.requestVideoFrameCallback(show);
    this.timer = setInterval(() => {
      const after = this.count();
      if (!document.hidden && drops(before, after)) {
        this.tooSlow = true;
        this.end();
        this.onGone();
      }
      before = after;
    }, 2000);
  }

  count() {
    const { totalVideoFrames: total, droppedVideoFrames: dropped } = this.video.getVideoPlaybackQuality?.() ?? {};
    return { total: total ?? 0, dropped: dropped ?? 0 };
  }

  end() {
    this.token += 1;
    this.running = false;
    clearInterval(this.timer);
    this.canvas.hidden = true;
  }
}
