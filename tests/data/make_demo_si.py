"""What the demo mux says about itself: its services, and the PSI and SI sections that describe them.

Sections only: when they are sent, and how they become packets, is `make-demo`'s business.
Standards: ISO/IEC 13818-1 (PAT, PMT), EN 300 468 (all else), TR 101 211 (how the EIT schedule is cut up).
"""

import datetime
import unicodedata
from dataclasses import dataclass

TRANSPORT_STREAM_ID = 0x0457
ORIGINAL_NETWORK_ID = 0x2174
NETWORK_NAME = "stbcast demo network"
PROVIDER = "Démo 中国"
# The first TDT of a pass; the guide covers the day it falls in.
START = datetime.datetime(2026, 1, 1, 12, 0, 0)

MPEG2_VIDEO, MP2, AAC, H264 = 0x02, 0x03, 0x0F, 0x1B
RADIO, SD_TELEVISION, HD_TELEVISION = 0x02, 0x01, 0x19


@dataclass(frozen=True)
class Elementary:
    pid: int
    stream_type: int
    language: str = ""


@dataclass(frozen=True)
class Service:
    sid: int
    lcn: int
    service_type: int
    name: str
    table: str  # the character table its names and its guide are written in
    language: str
    pmt_pid: int
    streams: tuple  # of Elementary; the first carries the PCR
    programmes: dict  # letter: (title, text)
    day: str  # 24 of those letters, one an hour from midnight UTC


SERVICES = (
    Service(1001, 1, HD_TELEVISION, "综合频道 One HD", "gb2312", "chi", 0x1001,
            (Elementary(0x101, H264), Elementary(0x102, AAC, "chi")), {
        "n": ("整点新闻", "国内外要闻，天气预报。"),
        "m": ("早安", "清晨的音乐、路况和天气。"),
        "c": ("儿童乐园", "动画、手工和儿歌。"),
        "d": ("纪录片：江河之源", "沿着大江走到雪山脚下。"),
        "k": ("家常菜", "今天做番茄炒蛋和酸辣汤。"),
        "s": ("体育时间", "乒乓球、篮球和长跑。"),
        "t": ("电视剧：老街", "雨夜里，茶馆来了一位陌生的客人。"),
        "f": ("元旦电影：月台", "一列慢车，三个约定。"),
        "o": ("民乐欣赏", "古筝、二胡与笛子。"),
    }, "ofdddommnckcnkdcsonttnfo"),
    Service(1002, 2, HD_TELEVISION, "Télé Été Ö", "iso6937", "fra", 0x1002,
            (Elementary(0x201, H264), Elementary(0x202, MP2, "fra"), Elementary(0x203, MP2, "eng")), {
        "j": ("Le journal", "Toute l'actualité en images, puis la météo."),
        "m": ("Matin câlin", "Réveil en douceur, café crème et météo des plages."),
        "c": ("À table !", "Aujourd'hui : le gâteau aux pommes de grand-mère."),
        "d": ("Forêts et marées", "Documentaire : une année au bord de l'océan."),
        "e": ("L'école est finie", "Dessins animés et bricolage pour les petits."),
        "s": ("Stade d'été", "Cyclisme, voile et pétanque."),
        "f": ("Cinéma : Le phare", "Un gardien, une île, une lettre jamais envoyée."),
        "g": ("Génial ou pas ?", "Le jeu où l'on répond à côté."),
        "n": ("Nuit étoilée", "Concert : œuvres pour piano et hautbois."),
    }, "nnnddnmmmecgjcdsdeegjffn"),
    Service(1003, 3, RADIO, "Radio Žluťoučký", "iso8859-2", "cze", 0x1003,
            (Elementary(0x302, AAC, "cze"),), {
        "z": ("Zprávy a počasí", "Přehled událostí z domova i ze světa."),
        "r": ("Ranní káva", "Písničky, doprava a vtipy k snídani."),
        "k": ("Příliš žluťoučký kůň", "Čtení na pokračování."),
        "d": ("Dechovka", "Muziky z Moravy i ze Slezska."),
        "p": ("Pohádka", "O třech bratřích a zlaté řece."),
        "j": ("Jazzový sklep", "Nové nahrávky a staré známosti."),
        "s": ("Sportovní odpoledne", "Živé vstupy ze stadiónů."),
        "n": ("Noční vlna", "Tichá hudba až do rána."),
    }, "nnnnnrrrzdkdzkdssszpjjjn"),
    # Names that are harmless text and become something else on a page that forgets to escape them.
    Service(1004, 4, SD_TELEVISION, "<img src=x onerror=alert(1)>", "ascii", "eng", 0x1004,
            (Elementary(0x401, MPEG2_VIDEO), Elementary(0x402, MP2, "eng")), {
        "x": ('<script>alert("x")</script>', "A film about quoting. & \"so on\" <b>in bold</b>"),
        "n": ("News & Weather", "Headlines at the top of the hour."),
        "q": ("Quiz: 5 > 4?", "Two teams, ten questions, no prizes."),
        "g": ("Garden Hour", "Pruning, planting and a pond."),
        "h": ("House Repairs", "This week: the door that will not close."),
        "t": ("Test Card", "Colours and a tone."),
        "m": ("Late Film: The Signal Box", "Nobody has worked the line for years. Tonight a lamp is lit."),
        "w": ("Wildlife", "Herons, otters and one very patient camera."),
    }, "mmttttnghwqnxngwhqnwqnmm"),
)


def dvb_text(text, table):
    """`text` in a character table of EN 300 468 Annex A, with the bytes that select it."""
    if table == "ascii":
        return text.encode("ascii")
    if table == "iso6937":
        return iso6937(text)
    return {"iso8859-2": b"\x10\x00\x02", "gb2312": b"\x13", "utf-8": b"\x15"}[table] + text.encode(table)


def iso6937(text):
    """The default table: a diacritic is a byte of its own and stands before its letter."""
    marks = {0x300: 0xC1, 0x301: 0xC2, 0x302: 0xC3, 0x308: 0xC8, 0x327: 0xCB}
    letters = {"œ": 0xFA}
    out = bytearray()
    for char in unicodedata.normalize("NFC", text):
        base, *accents = unicodedata.normalize("NFD", char)
        out += bytes(marks[ord(accent)] for accent in accents)
        out.append(letters.get(base) or base.encode("ascii")[0])
    return bytes(out)


def crc32_mpeg(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
        crc &= 0xFFFFFFFF
    return crc.to_bytes(4, "big")


def u16(*values):
    return b"".join(value.to_bytes(2, "big") for value in values)


def counted(data):
    """A string behind its length byte."""
    return bytes([len(data)]) + data


def descriptor(tag, data):
    return bytes([tag]) + counted(data)


def looped(flags, data):
    """A loop behind its 12-bit length; `flags` are the four bits above."""
    return u16(flags << 12 | len(data)) + data


def section(table_id, extension, body, number=0, last=0):
    """A section in the long form, current, version 0. The bit after section_syntax_indicator is 0 in
    the tables of 13818-1 and reserved_future_use (1) in those of EN 300 468."""
    flags = 0xB if table_id < 0x40 else 0xF
    head = bytes([table_id]) + u16(flags << 12 | len(body) + 9, extension) + bytes([0xC1, number, last])
    return head + body + crc32_mpeg(head + body)


def pat():
    programmes = [u16(0, 0xE000 | 0x10)] + [u16(s.sid, 0xE000 | s.pmt_pid) for s in SERVICES]
    return section(0x00, TRANSPORT_STREAM_ID, b"".join(programmes))


def pmt(service):
    body = u16(0xE000 | service.streams[0].pid) + looped(0xF, b"")
    for stream in service.streams:
        language = descriptor(0x0A, stream.language.encode() + b"\0") if stream.language else b""
        body += bytes([stream.stream_type]) + u16(0xE000 | stream.pid) + looped(0xF, language)
    return section(0x02, service.sid, body)


def nit():
    listed = b"".join(u16(s.sid) + bytes([s.service_type]) for s in SERVICES)
    # 346.0000 MHz (BCD), RS(204/188), 64-QAM, 6.8750 Msymbol/s (BCD), no inner code.
    cable = bytes.fromhex("03460000" "fff2" "03" "0068750f")
    # visible_service_flag, five reserved bits, ten bits of number (EACEM).
    numbers = b"".join(u16(s.sid, 0xFC00 | s.lcn) for s in SERVICES)
    descriptors = (descriptor(0x41, listed) + descriptor(0x44, cable)
                   + descriptor(0x5F, bytes.fromhex("00000028")) + descriptor(0x83, numbers))
    stream = u16(TRANSPORT_STREAM_ID, ORIGINAL_NETWORK_ID) + looped(0xF, descriptors)
    name = descriptor(0x40, NETWORK_NAME.encode("ascii"))
    return section(0x40, ORIGINAL_NETWORK_ID, looped(0xF, name) + looped(0xF, stream))


def sdt():
    body = u16(ORIGINAL_NETWORK_ID) + b"\xff"
    for s in SERVICES:
        names = counted(dvb_text(PROVIDER, "utf-8")) + counted(dvb_text(s.name, s.table))
        # EIT_schedule_flag and EIT_present_following_flag set; running, free to air.
        body += u16(s.sid) + b"\xff" + looped(0x8, descriptor(0x48, bytes([s.service_type]) + names))
    return section(0x42, TRANSPORT_STREAM_ID, body)


def utc_time(when):
    """Modified Julian date and BCD time of day, EN 300 468 annex C."""
    return u16(when.toordinal() - 678576) + bytes.fromhex(when.strftime("%H%M%S"))


def event(service, hour, running_status):
    title, text = (dvb_text(t, service.table) for t in service.programmes[service.day[hour]])
    short = descriptor(0x4D, service.language.encode() + counted(title) + counted(text))
    start = START.replace(hour=hour, minute=0, second=0)
    event_id = service.lcn << 8 | hour
    return u16(event_id) + utc_time(start) + bytes.fromhex("010000") + looped(running_status << 1, short)


def eit(service, table_id, number, last, segment_last, events):
    head = u16(TRANSPORT_STREAM_ID, ORIGINAL_NETWORK_ID) + bytes([segment_last, table_id])
    return section(table_id, service.sid, head + events, number, last)


def eit_present_following(service):
    running, not_running = 4, 1
    return [eit(service, 0x4E, 0, 1, 1, event(service, START.hour, running)),
            eit(service, 0x4E, 1, 1, 1, event(service, START.hour + 1, not_running))]


def eit_schedule(service):
    """One day: eight segments of three hours. A segment owns eight section numbers and uses the first
    of its eight here; segment_last_section_number says so (TR 101 211 §4.1.4)."""
    undefined = 0
    return [eit(service, 0x50, 8 * segment, 8 * 7, 8 * segment,
                b"".join(event(service, 3 * segment + hour, undefined) for hour in range(3)))
            for segment in range(8)]


def tdt(seconds):
    return bytes([0x70]) + u16(0x7005) + utc_time(START + datetime.timedelta(seconds=seconds))


def tot(seconds):
    """Summer time starts in France on 29 March; China has none, so its next change changes nothing."""
    change = utc_time(datetime.datetime(2026, 3, 29, 1, 0, 0))
    zones = b"FRA\x02" + u16(0x0100) + change + u16(0x0200) + b"CHN\x02" + u16(0x0800) + change + u16(0x0800)
    body = utc_time(START + datetime.timedelta(seconds=seconds)) + looped(0xF, descriptor(0x58, zones))
    head = bytes([0x73]) + u16(0x7000 | len(body) + 4) + body
    return head + crc32_mpeg(head)
