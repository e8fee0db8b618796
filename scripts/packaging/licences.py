"""The licence texts of what is linked in, each text once."""

import re

from facts import ROOT, Refused

NAMED = re.compile(r"^(un)?licen[cs]e|^copying|^copyright|^notice|^(mit|apache|bsd|isc|zlib|boost)\b", re.I)
DIRECTORIES = ("license", "licenses", "licence", "licences")
# Crates that deliver no file of their licence. What they may be used under stands in the text named here: a file of
# this project, or the comment at the start of one of theirs. A crate that is not in this list ends the packing, so
# that somebody looks.
ELSEWHERE = {
    "broadcast-common": "LICENSE-APACHE",
    "dvb-si": "LICENSE-APACHE",
    "mpeg-ts": "LICENSE-APACHE",
    "qrcodegen-no-heap": "src/lib.rs",
}


def own_files(part):
    """The texts that lie beside a part's manifest, or in a directory for them."""
    found = []
    for entry in sorted(part.source.iterdir()):
        if entry.is_dir() and entry.name.lower() in DIRECTORIES:
            found += [file for file in sorted(entry.rglob("*")) if file.is_file()]
        elif entry.is_file() and NAMED.search(entry.name) and entry.suffix not in (".rs", ".toml", ".json"):
            found.append(entry)
    return found


def comment(file):
    """The comment that a source begins with."""
    text = re.match(r"\s*/\*(.*?)\*/", file.read_text(), re.S)
    return re.sub(r"^[ \t]*\* ?", "", text[1], flags=re.M) if text else ""


def offers(part, licence):
    """One may take it under `licence` alone."""
    return "AND" not in part.licence and licence in part.licence.split(" OR ")


def texts(part):
    """All licence texts of a part, at least one."""
    found = [file.read_text(errors="replace") for file in own_files(part)]
    if not found and (place := ELSEWHERE.get(part.name)):
        if (part.source / place).exists():
            found.append(comment(part.source / place))
        elif offers(part, "Apache-2.0"):
            found.append((ROOT / place).read_text())
    if not found:
        found += [file.read_text(errors="replace") for file in part.texts if file.exists()]
    found = [text for text in found if text.strip()]
    if not found:
        raise Refused(f"{part.name} {part.version} ({part.licence}): no licence text in {part.source}; find out what it may"
                      " be used under, and add it to ELSEWHERE in scripts/packaging/licences.py")
    return found


def plain(text):
    """A text as it is printed: no blanks at the ends of lines, no empty lines around it."""
    return "\n".join(line.rstrip() for line in text.replace("\f", "").splitlines()).strip("\n") + "\n"


def collected(parts):
    """The file: who is in it under what, then each text with those that it is of."""
    users, shown = {}, {}
    for part in parts:
        for text in texts(part):
            key = re.sub(r"\W+", " ", text).strip().lower()  # the same text, however its lines are broken
            shown.setdefault(key, plain(text))
            users.setdefault(key, []).append(f"{part.name} {part.version}")
    lines = ["stbcastd has parts by others, each under the licence in its line. Their texts follow.\n"]
    lines += [f"  {part.name} {part.version}: {part.licence}" for part in parts]
    rule = "\n" + "=" * 100 + "\n"
    blocks = [f"{rule}{', '.join(dict.fromkeys(users[key]))}:\n\n{text}" for key, text in shown.items()]
    return ("\n".join(lines) + "\n" + "".join(blocks)).encode()
