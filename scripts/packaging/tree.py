"""The files that every kind of package has, made for a board from the texts beside this file."""

import pathlib
import re

from archive import File
from facts import CONFIG, Refused

HERE = pathlib.Path(__file__).resolve().parent
UNIT = "lib/systemd/system/stbcast.service"
SCRIPT = "etc/init.d/stbcast"
USERS = "usr/lib/sysusers.d/stbcast.conf"
KEEP = "lib/upgrade/keep.d/stbcast"
DOC = "usr/share/doc/stbcast/"


def filled(name, words):
    """A text of this directory with its @WORDS@ replaced; what is None takes its line with it."""
    text = (HERE / name).read_text()
    for word, value in words.items():
        text = re.sub(rf"^.*@{word}@.*\n", "", text, flags=re.M) if value is None else text.replace(f"@{word}@", value)
    left = re.search(r"@[A-Z_]+@", text)
    if left:
        raise Refused(f"{name}: nothing is known for {left[0]}")
    return text


def inside(text):
    """A text as a file's bytes."""
    return text.encode()


def init_words(board):
    """What the init scripts are told."""
    return {"USER": board["user"], "STATE_PATH": board.state, "RUN_PATH": board.run_directory,
            "FILES": str(board.files_open), "BUFFER": board["input_buffer_bytes"], "LOW_PORT": "1" if board.low_port else ""}


def unit(board):
    """The hardened unit for systemd."""
    groups, low = board.listed("groups"), board.low_port
    devices = ("# The tuners alone.\nDevicePolicy=closed\nDeviceAllow=char-DVB rw" if board.devices
               else "# This board has no tuner.\nPrivateDevices=yes")
    state, under = board.state, "/var/lib/"
    words = {
        "USER": board["user"],
        "GROUPS": f"SupplementaryGroups={' '.join(groups)}" if groups else None,
        "FILES": str(board.files_open),
        "BUFFER": board["input_buffer_bytes"],
        "STATE": f"StateDirectory={state.removeprefix(under)}\nStateDirectoryMode=0700" if state.startswith(under)
                 else f"ReadWritePaths={state}",
        "RUNTIME": f"RuntimeDirectory={board.run_directory.removeprefix('/run/')}\nRuntimeDirectoryMode=0755"
                   if board.run_directory else None,
        "DEVICES": devices,
        "CAPABILITIES": "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE" if low
                        else "CapabilityBoundingSet=\nAmbientCapabilities=",
        # The driver's own thread, which lives as long as the television has the tuner open, is root's.
        "PROC": None if board.devices else "ProtectProc=invisible",
        # A user namespace would hide the groups by which devices are opened and who asks at the local socket is judged.
        "USERS": None if board.devices or low or board["control_group"] or board["view_group"] else "PrivateUsers=yes",
    }
    return filled("init/stbcast.service", words)


def init_files(board):
    """Each init system's file, by its name."""
    return {"systemd": File("stbcast.service", inside(unit(board))),
            "procd": File("stbcast.procd", inside(filled("init/stbcast.procd", init_words(board))), 0o755),
            "sysv": File("stbcast.sysv", inside(filled("init/stbcast.sysv", init_words(board))), 0o755)}


def init_in_place(board, init):
    """The file of `init` where that looks for it."""
    file = init_files(board)[init]
    return File(UNIT if init == "systemd" else SCRIPT, file.data, file.mode)


def config(board):
    """The default settings: nothing but comments, so that the board's facts hold until somebody says otherwise."""
    example = {"LAN_INTERFACE": (board.listed("lan_interfaces") or ["eth0"])[0],
               "IPTV_INTERFACE": board["iptv_interface"] or "eth1"}
    same = ("authority", "listen", "user", "state_path", "socket_path", "ca_file", "clock_source",
            "tuner_owner")
    text = filled("stbcast.conf", {**example, **{key.upper(): board[key] for key in same}})
    return File(CONFIG, inside(text))


def sysusers(board):
    """The user and its groups, as systemd-sysusers makes them."""
    lines = [f"u {board['user']} {board['uid']} \"stbcast\" {board.state} -"]
    lines += [f"m {board['user']} {group}" for group in board.listed("groups")]
    return File(USERS, inside("\n".join(lines) + "\n"))


def common(board, program):
    """Program and settings."""
    return [File("usr/bin/stbcastd", program, 0o755), config(board)]


def everything(board, program, papers):
    """What the tar archive has: the board's own init script in its place, and all of them to choose from."""
    files = common(board, program) + papers + [init_in_place(board, board["init"])]
    files += [File(f"usr/share/stbcast/init/{f.path}", f.data, f.mode) for f in init_files(board).values()]
    return files + ([sysusers(board)] if board["init"] == "systemd" else [])
