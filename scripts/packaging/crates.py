"""What is linked into the firmware: the crates of the program, those of Rust's own library, and the C library."""

import json
import os
import pathlib
import re
import tomllib
from dataclasses import dataclass, field

from facts import ROOT, Refused, run

# A package that `cargo tree` prints with `--format {p}`, of the registry or of a directory.
PACKAGE = re.compile(r"^(\S+) v(\S+)(?: \((/[^)]*)\))?")


@dataclass(frozen=True, order=True)
class Part:
    """Something that is linked in, and the directory that its licence texts lie in."""

    name: str
    version: str
    licence: str
    kind: str  # cargo, generic or npm, as in a package URL
    source: pathlib.Path = field(compare=False)
    sha256: str = ""
    # Texts that lie elsewhere, for when it has none itself.
    texts: tuple = field(default=(), compare=False)

    @property
    def purl(self):
        return f"pkg:{self.kind}/{self.name.replace('@', '%40')}@{self.version.replace('+', '%2B')}"


class Tools:
    """The compiler that built an image and the cargo beside it; and zig, which linked it where it is for another CPU."""

    def __init__(self, image):
        made = re.search(rb"rustc version (\d+\.\d+\.\d+[^\s\0]*)", image)
        made = made and made[1].decode()
        beside = pathlib.Path(os.environ.get("STBCAST_RUST", "/usr/bin"))
        seen = []
        for rustc, cargo in ((os.environ.get("RUSTC", "rustc"), os.environ.get("CARGO", "cargo")),
                             (beside / "rustc", beside / "cargo")):
            try:
                said = dict(l.split(": ", 1) for l in run([rustc, "-vV"]).splitlines() if ": " in l)
            except Refused:
                continue
            seen.append(said["release"])
            if made in (None, said["release"]):
                self.release, self.host, self.rustc, self.cargo = said["release"], said["host"], rustc, cargo
                self.sysroot = pathlib.Path(run([rustc, "--print", "sysroot"]).strip())
                self.environment = {**os.environ, "RUSTC": str(rustc)}
                return
        raise Refused(f"the image was built by rustc {made or '(it does not say)'}, and here is {' and '.join(seen) or 'none'};"
                      " STBCAST_RUST names the directory of another")

    @staticmethod
    def zig():
        """The directory of zig, where `scripts/cross setup` puts it."""
        cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        tools = pathlib.Path(os.environ.get("STBCAST_TOOLS") or pathlib.Path(cache) / "stbcast")
        found = sorted(tools.glob("zig-*/lib/python3*/site-packages/ziglang"))
        if not found:
            raise Refused(f"no zig in {tools}, whose C library is linked in: run `scripts/cross setup`")
        return found[-1]


def spdx(expression, who):
    """A licence as SPDX writes it; cargo took '/' for OR once."""
    if not expression:
        raise Refused(f"{who}: its manifest names no licence")
    return re.sub(r"\s*/\s*", " OR ", expression)


def checksums(lock):
    """The hash of each package that a lock file has from a registry."""
    with lock.open("rb") as file:
        packages = tomllib.load(file)["package"]
    return {(p["name"], p["version"]): p.get("checksum", "") for p in packages}


def tree(tools, manifest, target, features, **more):
    """The packages that cargo links into what `manifest` builds: no build script's, no macro's, no test's."""
    words = [tools.cargo, "tree", "--offline", "--locked", "--manifest-path", manifest, "--target", target,
             "--no-default-features", "--features", features, "--edges", "normal,no-proc-macro",
             "--prefix", "none", "--format", "{p}"]
    lines = run(words, cwd=manifest.parent, env={**tools.environment, **more}).splitlines()
    return sorted({PACKAGE.match(line).groups() for line in lines if PACKAGE.match(line)}, key=str)


def program(tools, board):
    """The program's crates, itself first."""
    target, features = board["target"], board["features"]
    words = [tools.cargo, "metadata", "--offline", "--locked", "--format-version", "1", "--manifest-path",
             ROOT / "Cargo.toml", "--filter-platform", target, "--no-default-features", "--features", features]
    said = run(words, cwd=ROOT, env=tools.environment)
    known = {(p["name"], p["version"]): p for p in json.loads(said)["packages"]}
    sums, found = checksums(ROOT / "Cargo.lock"), []
    for name, version, _ in tree(tools, ROOT / "Cargo.toml", target, features):
        package = known[name, version]
        found.append(Part(name, version, spdx(package["license"], f"crate {name} {version}"), "cargo",
                          pathlib.Path(package["manifest_path"]).parent, sums.get((name, version)) or ""))
    return sorted(found, key=lambda part: part.name != "stbcast")


def standard_library(tools, board, image):
    """Rust's own library. Where it was built with the program, its source is here and tells what it has of others."""
    library = tools.sysroot / "lib/rustlib/src/rust/library"
    licence = "MIT OR Apache-2.0"
    if not (library / "std/Cargo.toml").exists():
        if board["target"] != tools.host:
            raise Refused(f"{library}: no source of Rust's library there; install that of rustc {tools.release}")
        # Rust's makers deliver it compiled, and its texts with it.
        return [Part("rust-std", tools.release, licence, "generic", tools.sysroot / "share/doc/rust/licenses")]
    # What prints a backtrace is left out where the library is built for a small box.
    features = "backtrace" if board["target"] == tools.host and b"gimli" in image else "optimize_for_size"
    sums, found = checksums(library / "Cargo.lock"), []
    texts = (library.parent / "COPYRIGHT", ROOT / "LICENSE-APACHE")
    # What compilers call, from LLVM and from musl.
    builtins = (*texts, *(tools.zig() / "lib" / file for file in ("libunwind/LICENSE.TXT", "libc/musl/COPYRIGHT")))
    # Its manifests are those of an unstable compiler.
    for name, version, place in tree(tools, library / "std/Cargo.toml", board["target"], features, RUSTC_BOOTSTRAP="1"):
        if name.startswith("rustc-std-workspace"):
            continue  # a name for core, alloc and std, and nothing else
        source = pathlib.Path(place) if place else library / "vendor" / f"{name}-{version}"
        with (source / "Cargo.toml").open("rb") as file:
            manifest = tomllib.load(file)["package"]
        who = f"crate {name} of Rust's library"
        if version == "0.0.0":
            found.append(Part(f"rust-{name}", tools.release, spdx(manifest.get("license"), who), "generic", source, texts=texts))
        else:
            found.append(Part(name, version, spdx(manifest.get("license"), who), "cargo", source,
                              sums.get((name, version)) or "",
                              builtins if name == "compiler_builtins" else texts))
    return found


def linked_by_zig(tools, board, image):
    """What comes with the linker for another CPU than this machine's: the C library, and what compilers call."""
    if board["target"] == tools.host:
        return []
    place = tools.zig()
    release = re.search(r"^\s*\.version = \"([^\"]+)\"", run([place / "zig", "env"]), re.M)[1]
    parts = [Part("zig-compiler-rt", release, "MIT", "generic", place)]
    if b"/ld-linux" not in image:  # else the box's own C library is loaded
        text = (place / "lib/libc/musl/src/internal/version.h").read_text()
        parts.append(Part("musl", re.search(r'"([\d.]+)"', text)[1], "MIT", "generic", place / "lib/libc/musl"))
    llvm = re.search(rb"(?:clang version|Linker: LLD) (\d[\d.]*)", image)
    if llvm and b"_Unwind_" in image:
        parts.append(Part("llvm-libunwind", llvm[1].decode(), "Apache-2.0 WITH LLVM-exception", "generic",
                          place / "lib/libunwind"))
    return parts


def vendored(directories):
    """Packages of npm whose text is in the image, each a directory with its package.json."""
    found = []
    for directory in map(pathlib.Path, directories):
        try:
            package = json.loads((directory / "package.json").read_text())
            name, version = package["name"], package["version"]
        except (OSError, ValueError, KeyError) as why:
            raise Refused(f"{directory}: no package.json with a name and a version: {why}") from why
        licence = spdx(package.get("license"), f"package {name}")
        found.append(Part(name, version, licence, "npm", directory))
    return found


def of_web_app():
    """What the web app has of others, as scripts/web keeps it."""
    return sorted(manifest.parent for manifest in (ROOT / "src/web/vendor").glob("*/package.json"))


def linked(board, image, directories):
    """All of it, itself first, each once."""
    tools = Tools(image)
    parts = program(tools, board) + standard_library(tools, board, image) + linked_by_zig(tools, board, image)
    parts += vendored([*of_web_app(), *directories])
    once = {part.purl: part for part in reversed(parts[1:])}  # where Rust's library has the same crate, the program's
    return [parts[0], *sorted(once.values())]
