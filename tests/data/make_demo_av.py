"""The pictures and sounds of the demo mux: drawn and composed here, encoded by ffmpeg.

Everything repeats after 24 s. Pictures are one closed sequence of 600 frames; sounds are periodic
and encoded three times over, of which the middle is kept, so that the overlap of the codecs' windows
is right at the seam too. Nothing here knows about the multiplex.
"""

import array
import functools
import math
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS = 24
FRAME_RATE = 25
SAMPLE_RATE = 48000
SANS = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"
MONO = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf"


def ffmpeg(arguments, data=None):
    """What ffmpeg writes to its standard output."""
    command = ["ffmpeg", "-nostdin", "-v", "error"] if data is None else ["ffmpeg", "-v", "error"]
    return subprocess.run(command + arguments + ["-"], input=data, stdout=subprocess.PIPE, check=True).stdout


# Pictures

@dataclass(frozen=True)
class Look:
    number: str
    name: str
    caption: str
    name_size: float  # in hundredths of the picture's height, like all sizes below
    size: tuple
    fields: int  # pictures rendered for one coded frame: 2 makes interlaced video
    ground: str
    panel: str
    light: str
    mover: str  # "ball", "bar" or "bounce"
    encoder: tuple


X264 = ("-c:v", "libx264", "-preset", "slow", "-threads", "1", "-colorspace", "bt709",
        "-color_primaries", "bt709", "-color_trc", "bt709")
LOOKS = {
    1001: Look("1", "综合频道 One HD", "720p25  H.264  closed GOP", 12, (1280, 720), 1,
               "0x10284f", "0xd0342c", "0xffd166", "ball", X264 + (
                   "-b:v", "280k", "-maxrate", "305k", "-bufsize", "240k", "-x264-params",
                   "keyint=24:min-keyint=24:scenecut=0:open-gop=0:bframes=2:b-pyramid=none")),
    1002: Look("2", "Télé Été Ö", "1080i25  H.264  open GOP", 13, (1920, 1080), 2,
               "0x0d4a3e", "0xf2b134", "0xffffff", "bar", X264 + (
                   "-flags", "+ildct+ilme", "-b:v", "300k", "-maxrate", "340k", "-bufsize", "300k",
                   "-x264-params", "tff=1:keyint=50:min-keyint=50:scenecut=0:open-gop=1:ref=4:bframes=3")),
    1004: Look("4", "<img src=x onerror=alert(1)>", "224p25  MPEG-2", 6.5, (400, 224), 1,
               "0x3b1f4d", "0x00a6a6", "0xff8fab", "bounce", (
                   "-c:v", "mpeg2video", "-threads", "1", "-g", "12", "-bf", "2", "-sc_threshold", "1000000000",
                   "-mbd", "rd", "-trellis", "1", "-b:v", "120k", "-maxrate", "200k", "-bufsize", "400k")),
}


def sprite(path, size, colour, distance):
    """A square RGBA picture of one colour whose opacity follows `distance(x, y)`, the signed distance
    in pixels from the shape's edge; the origin is the centre, y points down."""
    rgb = int(colour, 16).to_bytes(3, "big")
    middle = (size - 1) / 2
    pixels = bytearray()
    for y in range(size):
        for x in range(size):
            opacity = min(max(0.5 - distance(x - middle, y - middle), 0), 1)
            pixels += rgb + bytes([round(255 * opacity)])
    head = f"P7\nWIDTH {size}\nHEIGHT {size}\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    path.write_bytes(head.encode() + pixels)


def disc(radius):
    return lambda x, y: math.hypot(x, y) - radius


def hand(width, start, end):
    """A bar that points to twelve o'clock, from `start` to `end` away from the centre."""
    return lambda x, y: max(abs(x) - width / 2, start + y, -y - end)


def dial(radius, width):
    """A ring and one tick for each second of the pass."""
    step = 2 * math.pi / SECONDS
    tick = hand(width, 0.84 * radius, 0.94 * radius)

    def distance(x, y):
        angle = round(math.atan2(x, -y) / step) * step
        turned = (x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle))
        return min(abs(math.hypot(x, y) - radius) - width / 2, tick(*turned))
    return distance


def sprites(look, work):
    """Draws the moving parts; their paths in the order in which `moves` lays them on."""
    unit = look.size[1] / 100
    clock = round(56 * unit)
    parts = {
        "dial": (clock, "0xffffff", dial(27 * unit, 0.9 * unit)),
        "fast": (clock, look.light, hand(1.6 * unit, 13 * unit, 19 * unit)),
        "slow": (clock, "0xffffff", hand(1.2 * unit, -3 * unit, 22 * unit)),
        "lamp": (round(9 * unit), look.light, disc(4 * unit)),
        "mover": (round(10 * unit), look.light, hand(5 * unit, -4.5 * unit, 4.5 * unit) if look.mover == "bar"
                  else disc(4.5 * unit)),
    }
    for name, part in parts.items():
        sprite(work / f"{name}.pam", *part)
    return [work / f"{name}.pam" for name in parts]


def text(work, label, content, font, size, x, y, colour, expansion="none"):
    """A drawtext filter. The text goes through a file, which spares it two levels of quoting."""
    path = work / f"{label}.txt"
    path.write_text(content, encoding="utf-8")
    return (f"drawtext=fontfile={font}:textfile={path}:expansion={expansion}:fontsize={size:.0f}"
            f":fontcolor={colour}:x={x}:y={y}")


def scenery(look, work):
    """What never moves."""
    width, height = look.size
    unit = height / 100
    draw = functools.partial(text, work)
    return ",".join([
        f"color=c={look.ground}:s={width}x{height}:r=1:d=1", "format=rgb24",
        f"drawbox=c={look.panel}:w={46 * unit:.0f}:h={86 * unit:.0f}:t=fill",
        f"drawbox=c=0x000000:y={86 * unit:.0f}:w={width}:h={14 * unit:.0f}:t=fill",
        draw("number", look.number, SANS, 74 * unit, f"{23 * unit:.0f}-text_w/2", f"{43 * unit:.0f}-text_h/2", "white"),
        draw("name", look.name, SANS, look.name_size * unit, f"{52 * unit:.0f}", f"{7 * unit:.0f}", "white"),
        draw("caption", look.caption, SANS, 4.5 * unit, f"{52.5 * unit:.0f}", f"{76 * unit:.0f}", look.light),
    ])


def moves(look):
    """Where each sprite is at time `t`, or how it is turned: all periods divide the pass."""
    width, height = look.size
    unit = height / 100
    clock = f"x={112.5 * unit:.0f}:y={27.5 * unit:.0f}"
    ground = 88 * unit
    mover = {
        "ball": f"x='(W-w)*(0.5-0.5*cos(2*PI*t/4))':y={ground:.0f}",
        "bar": f"x='mod(t/4,1)*(W+w)-w':y={ground:.0f}",
        "bounce": f"x='(W-w)*abs(1-mod(t/4,2))':y='{ground:.0f}-{9 * unit:.0f}*abs(sin(PI*t))'",
    }[look.mover]
    return [("", clock), ("rotate=a=2*PI*t:c=none", clock), (f"rotate=a=2*PI*t/{SECONDS}:c=none", clock),
            ("", f"x={52 * unit:.0f}:y={61 * unit:.0f}:enable='lt(mod(t+0.001,1),0.12)'"), ("", mover)]


def graph(look, work):
    """The filter graph of one pass, in pictures of `FRAME_RATE * fields`."""
    rate = FRAME_RATE * look.fields
    unit = look.size[1] / 100
    steps = [f"{scenery(look, work)},loop=loop=-1:size=1,fps={rate},setpts=N/{rate}/TB[s0]"]
    for index, (turn, place) in enumerate(moves(look)):
        steps.append(f"[{index}:v]format=rgba{',' if turn else ''}{turn}[p{index}]")
        steps.append(f"[s{index}][p{index}]overlay=format=rgb:{place}[s{index + 1}]")
    seconds = f"%{{eif:mod(floor(n/{rate}),{SECONDS}):d:2}}"
    hundredths = f".%{{eif:mod(n,{rate})*{100 // rate}:d:2}}"
    interlace = ",tinterlace=interleave_top,setfield=tff" if look.fields == 2 else ""
    matrix = "bt709" if look.size[1] >= 720 else "bt601"
    steps.append(f"[s{index + 1}]" + ",".join([
        text(work, "seconds", seconds, MONO, 25 * unit, f"{51 * unit:.0f}", f"{37 * unit:.0f}", "white", "normal"),
        text(work, "hundredths", hundredths, MONO, 14 * unit, f"{81 * unit:.0f}", f"{45.5 * unit:.0f}", look.light,
             "normal"),
    ]) + f",scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p{interlace},setsar=1[out]")
    return ";".join(steps)


def video(look, work):
    """One pass as `[(pts, dts, random_access, access_unit)]`, in 90 kHz from an arbitrary start."""
    rate = FRAME_RATE * look.fields
    inputs = [argument for path in sprites(look, work)
              for argument in ("-loop", "1", "-framerate", str(rate), "-i", str(path))]
    stream = ffmpeg(inputs + ["-filter_complex", graph(look, work), "-map", "[out]", *look.encoder,
                              "-frames:v", str(SECONDS * FRAME_RATE), "-muxdelay", "0", "-muxpreload", "0",
                              "-f", "mpegts"])
    return access_units(stream, pid=0x100)


def access_units(stream, pid):
    """Takes ffmpeg's own single-programme mux apart again: it alone tells PTS, DTS and key frames."""
    units = []
    for packet in (stream[at:at + 188] for at in range(0, len(stream), 188)):
        if (packet[1] & 0x1F) << 8 | packet[2] != pid:
            continue
        adaptation = packet[4] + 1 if packet[3] & 0x20 else 0
        payload = packet[4 + adaptation:]
        if packet[1] & 0x40:
            random_access = adaptation > 1 and bool(packet[5] & 0x40)
            pts = timestamp(payload[9:14])
            dts = timestamp(payload[14:19]) if payload[7] & 0x40 else pts
            units.append((pts, dts, random_access, bytearray(payload[9 + payload[8]:])))
        else:
            units[-1][3].extend(payload)
    return units


def timestamp(field):
    return (field[0] >> 1 & 7) << 30 | (field[1] << 8 | field[2]) >> 1 << 15 | (field[3] << 8 | field[4]) >> 1


# Sounds

@dataclass(frozen=True)
class Tune:
    chords: tuple  # MIDI notes; together they last the whole pass
    melody: tuple  # MIDI notes, 0 rests; likewise, repeated as `SECONDS / step` asks
    step: float
    partials: tuple  # strengths of the harmonics
    beep: int  # Hz, each second; an octave higher at second 0
    encoder: tuple


AAC_64 = ("-ac", "2", "-c:a", "aac", "-b:a", "64k", "-f", "adts")
WALTZ = Tune(chords=((53, 57, 60), (50, 57, 62), (46, 53, 58), (48, 52, 58)) * 4,
             melody=(69, 72, 77, 76, 74, 72, 70, 74, 70, 67, 0, 72), step=0.5, partials=(1, 0.3, 0.3, 0.1),
             beep=880, encoder=("-ac", "1", "-c:a", "mp2", "-b:a", "64k", "-f", "mp2"))
TUNES = {
    0x102: Tune(chords=((48, 55, 64), (45, 52, 60), (41, 53, 57), (43, 55, 62)) * 2,
                melody=(76, 0, 79, 81, 79, 76, 74, 0, 72, 74, 76, 0, 69, 0, 72, 0), step=0.375,
                partials=(1, 0.5, 0.15, 0.1), beep=1000, encoder=AAC_64),
    0x202: WALTZ,
    0x203: Tune(WALTZ.chords, tuple(note and note - 12 for note in WALTZ.melody), WALTZ.step, (1, 0.8, 0, 0.4),
                WALTZ.beep, ("-ac", "1", "-c:a", "mp2", "-b:a", "32k", "-f", "mp2")),
    0x302: Tune(chords=((50, 57, 65), (46, 58, 65), (53, 60, 69), (48, 55, 64)) * 2,
                melody=(74, 77, 81, 77, 74, 0, 70, 74, 77, 74, 70, 0, 72, 77, 81, 84), step=0.75,
                partials=(1, 0, 0.25, 0, 0.1), beep=1200, encoder=AAC_64),
    0x402: Tune(chords=((45, 52, 60), (45, 53, 60), (43, 50, 59), (40, 52, 59)) * 3,
                melody=(69, 76, 72, 76, 69, 77, 72, 77, 67, 74, 71, 74, 64, 71, 68, 71), step=0.25,
                partials=(1, 0, 0.6, 0, 0.3), beep=660,
                encoder=("-ac", "1", "-c:a", "mp2", "-b:a", "48k", "-f", "mp2")),
}


@functools.lru_cache(maxsize=None)
def tone(hertz, seconds, partials, decay):
    """A plucked tone: attack of 8 ms, exponential decay, release of 20 ms."""
    samples = int(seconds * SAMPLE_RATE)
    step = 2 * math.pi * hertz / SAMPLE_RATE
    voices = [(step * (index + 1), strength) for index, strength in enumerate(partials) if strength]
    return array.array("d", (
        min(1, at / 384, (samples - at) / 960) * math.exp(-decay * at / SAMPLE_RATE)
        * sum(strength * math.sin(turn * at) for turn, strength in voices)
        for at in range(samples)))


class Loop:
    """One pass of stereo sound in which what rings beyond the end is heard at the start."""

    def __init__(self):
        self.length = SECONDS * SAMPLE_RATE
        self.sides = [array.array("d", bytes(8 * self.length)) for _ in range(2)]

    def add(self, start, samples, left, right):
        start = round(start * SAMPLE_RATE) % self.length
        fits = min(len(samples), self.length - start)
        for side, gain in zip(self.sides, (left, right)):
            for at, part in ((start, samples[:fits]), (0, samples[fits:])):
                old = side[at:at + len(part)]
                side[at:at + len(part)] = array.array("d", (a + gain * b for a, b in zip(old, part)))

    def pcm(self):
        loudest = max(max(map(abs, side)) for side in self.sides)
        left, right = (array.array("h", (round(22000 * v / loudest) for v in side)) for side in self.sides)
        both = array.array("h", bytes(4 * self.length))
        both[0::2], both[1::2] = left, right
        return both.tobytes()


def compose(tune):
    loop = Loop()
    bar = SECONDS / len(tune.chords)
    for index, chord in enumerate(tune.chords):
        for voice, note in enumerate(chord):
            gain = 0.25 * (1 - 0.15 * voice)
            loop.add(index * bar, tone(hertz(note), bar + 0.5, tune.partials, 0.8), gain, gain)
    for index in range(round(SECONDS / tune.step)):
        note = tune.melody[index % len(tune.melody)]
        if note:
            pan = 0.35 + 0.3 * (index % 2)
            loop.add(index * tune.step, tone(hertz(note), 1.2, tune.partials, 4.0), 0.4 * (1 - pan), 0.4 * pan)
    for second in range(SECONDS):
        beep = tone(tune.beep * (1 if second else 2), 0.1 if second else 0.4, (1,), 0.0)
        loop.add(second, beep, 0.5, 0.5)
    return loop.pcm()


def hertz(note):
    return 440 * 2 ** ((note - 69) / 12)


def sound(pid):
    """One pass of a sound as a list of coded frames."""
    tune = TUNES[pid]
    coded = ffmpeg(["-f", "s16le", "-ar", str(SAMPLE_RATE), "-ac", "2", "-i", "-", *tune.encoder],
                   data=3 * compose(tune))
    if tune.encoder is AAC_64:
        # The encoder starts with a frame of silence, so frame n + 1 holds what was sample 1024 n.
        frames = list(adts_frames(coded))
        return frames[1126:2251]
    frames = list(mp2_frames(coded))
    return frames[1000:2000]


def adts_frames(coded):
    at = 0
    while at < len(coded):
        length = (coded[at + 3] & 3) << 11 | coded[at + 4] << 3 | coded[at + 5] >> 5
        yield coded[at:at + length]
        at += length


def mp2_frames(coded):
    """Layer II at 48 kHz: 24 ms a frame and no padding, so its bit rate in kbit/s times three, in bytes."""
    kilobits = (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)[coded[2] >> 4]
    return (coded[at:at + 3 * kilobits] for at in range(0, len(coded), 3 * kilobits))
