"""What the packages of a board have to know: its facts, the program's version, the names others have for its CPU."""

import os
import pathlib
import shlex
import subprocess
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CONFIG = "etc/stbcast/stbcast.conf"
INITS = ("systemd", "procd", "sysv")


class Refused(Exception):
    """Why there is no package; a sentence that names the culprit."""


def run(words, **more):
    """What a program printed; its failure is told with its own words."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, **more)
    except OSError as why:
        raise Refused(f"{words[0]}: {why.strerror}") from why
    if done.returncode:
        raise Refused(f"{shlex.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


class Board(dict):
    """The facts of a board, as text."""

    def __init__(self, name):
        lines = run([ROOT / "scripts/board", "show", name]).splitlines()
        super().__init__((key, "".join(shlex.split(value))) for key, value in (l.split("=", 1) for l in lines))
        self.name = name
        self.check()

    def __missing__(self, key):
        raise Refused(f"board {self.name}: no '{key}'; `scripts/board show {self.name}` lists what it has")

    def listed(self, key):
        """The words of a list with commas."""
        return [word.strip() for word in self[key].split(",") if word.strip()]

    def refuse(self, key, why):
        raise Refused(f"board {self.name}: {key} = '{self[key]}': {why}")

    def check(self):
        """Refuses what a package cannot carry out."""
        if self["init"] not in INITS:
            self.refuse("init", f"one of {', '.join(INITS)}")
        state = pathlib.PurePosixPath(self["state_path"])
        volatile = ["/run", "/tmp", "/dev", "/proc", "/sys"]
        if self["init"] == "procd":
            volatile.append("/var")  # OpenWrt's is a link to /tmp
        if not state.is_absolute() or any(state.is_relative_to(place) for place in volatile):
            self.refuse("state_path", f"what is in {', '.join(volatile)} is gone after a restart")
        if len(state.parts) < 3:
            self.refuse("state_path", "a purge removes it, so it must be a directory of the program's own")
        if self["user"] == "root":
            self.refuse("user", "the program needs a user of its own")
        self["user"] = self["user"] or "stbcast"  # a board that starts it as anybody is packaged with one, too

    @property
    def state(self):
        return self["state_path"].rstrip("/")

    @property
    def run_directory(self):
        """The directory that the init script makes for the local socket: /run/NAME; none where there is none to make."""
        parent = pathlib.PurePosixPath(self["socket_path"]).parent
        return str(parent) if str(parent) not in ("/run", "/var/run", "/tmp", "/") else ""

    @property
    def low_port(self):
        """It listens where only root may."""
        return int(self["listen"].rsplit(":", 1)[1]) < 1024

    @property
    def files_open(self):
        """Descriptors: a socket each, and the timers, signals, inputs and files of the rest."""
        return sum(int(self[key]) for key in ("connections", "heads", "local_peers", "listeners", "sources")) + 128

    @property
    def devices(self):
        return bool(self.listed("frontends") or self.listed("demuxes"))


# By the first word of the Rust target: names of Debian, of the tar archive, of Buildroot, of Yocto, and the number in
# an ELF file.
CPUS = {
    "armv7": ("armhf", "armv7", "BR2_ARM_CPU_ARMV7A || BR2_ARM_CPU_ARMV8A && BR2_arm", "arm.*-linux", 40),
    "aarch64": ("arm64", "aarch64", "BR2_aarch64", "aarch64.*-linux", 183),
    "x86_64": ("amd64", "x86_64", "BR2_x86_64", "x86_64.*-linux", 62),
}


class Cpu:
    """What each kind of package calls the board's CPU."""

    def __init__(self, board):
        target = board["target"]
        try:
            self.debian, self.plain, self.buildroot, self.yocto, self.elf = CPUS[target.split("-")[0]]
        except KeyError:
            board.refuse("target", f"no package is known for it; there are {', '.join(CPUS)}")
        self.opkg = os.environ.get("STBCAST_IPK_ARCH") or self.opkg_name(board)

    def check(self, program, board, path):
        """Refuses a program that the board's CPU cannot run."""
        if program[:4] != b"\x7fELF" or int.from_bytes(program[18:20], "little") != self.elf:
            raise Refused(f"{path}: no program for {board['target']}, the target of board {board.name}")

    def opkg_name(self, board):
        """OpenWrt has a name for each CPU and FPU; images of OpenEmbedded accept the names of what their CPU can run."""
        neon = "+neon" in board["target_features"] or board["has_neon"] == "true"
        if board["init"] != "procd":
            return {"armv7": "armv7ahf-neon" if neon else "armv7ahf-vfp"}.get(self.plain, self.plain)
        cpu = board["cpu"]
        if self.plain == "x86_64":
            return "x86_64"
        if self.plain == "aarch64":
            return f"aarch64_{cpu}"
        if cpu == "generic":
            board.refuse("cpu", "OpenWrt names packages by the core, such as cortex-a7; or set STBCAST_IPK_ARCH to the"
                         " last word that `opkg print-architecture` says on the box")
        vfp4 = cpu in ("cortex-a5", "cortex-a7", "cortex-a15", "cortex-a17")
        return f"arm_{cpu}_" + ("neon-vfpv4" if neon and vfp4 else "neon" if neon else "vfpv3-d16")


def version():
    """The program's own."""
    with (ROOT / "Cargo.toml").open("rb") as file:
        return tomllib.load(file)["package"]["version"]


def epoch():
    """The time that the packages' files have: SOURCE_DATE_EPOCH, else that of the last commit, else none."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told is None and (ROOT / ".git").exists():
        told = run(["git", "-C", ROOT, "log", "-1", "--format=%ct"]).strip()
    try:
        return int(told or 0)
    except ValueError:
        raise Refused(f"SOURCE_DATE_EPOCH '{told}': seconds since 1970") from None
