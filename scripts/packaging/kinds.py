"""Each kind of package, made of the same files."""

import hashlib
import os
import re

import archive
from archive import File
from facts import CONFIG, Cpu
from tree import KEEP, SCRIPT, common, everything, filled, init_in_place, inside

SUMMARY = "live television from this box to its owner's phone"
DESCRIPTION = """\
 stbcastd finds the channels of the box's muxes and serves one by HTTP to each
 terminal that the box's owner has let in.
"""


def maintainer():
    """Who is asked about a package: who makes it."""
    return os.environ.get("STBCAST_MAINTAINER", "stbcast <stbcast@localhost>")


def script_words(board):
    """What the scripts of packages are told."""
    return {"USER": board["user"], "UID": board["uid"], "GROUPS": " ".join(board.listed("groups")),
            "STATE_PATH": board.state}


def scripts(board, kind, names):
    """The scripts that a package manager runs."""
    return [File(name, inside(filled(f"{kind}/{name}", script_words(board))), 0o755) for name in names]


def control(fields, description=DESCRIPTION):
    """A control file; fields of no value are left out."""
    lines = "".join(f"{key}: {value}\n" for key, value in fields.items() if value)
    return File("control", inside(f"{lines}Description: {SUMMARY}\n{description}"))


def kib(files):
    """What the files take on flash."""
    return str(sum((len(file.data) + 1023) // 1024 for file in files))


def libraries(program):
    """What a program that is not static needs of Debian."""
    return ", ".join(package for name, package in ((b"/ld-linux", "libc6"), (b"libgcc_s.so.1", "libgcc-s1")) if name in program)


def deb(board, program, papers, version, epoch):
    """For Debian and what is made of it: with systemd's unit and the SysV script, whichever the system runs."""
    files = common(board, program) + papers
    files += [init_in_place(board, "systemd"), init_in_place(board, "sysv")]
    sums = "".join(f"{hashlib.md5(f.data).hexdigest()}  {f.path}\n" for f in sorted(files, key=lambda f: f.path))
    inner = scripts(board, "debian", ("postinst", "prerm", "postrm")) + [
        control({"Package": "stbcast", "Version": version, "Architecture": Cpu(board).debian, "Section": "video",
                 "Priority": "optional", "Maintainer": maintainer(), "Installed-Size": kib(files),
                 "Depends": libraries(program), "Recommends": "ca-certificates"}),
        File("conffiles", inside(f"/{CONFIG}\n/{SCRIPT}\n")),
        File("md5sums", inside(sums)),
    ]
    return archive.ar([("debian-binary", b"2.0\n"), ("control.tar.gz", archive.tar_gz(inner, epoch)),
                       ("data.tar.gz", archive.tar_gz(files, epoch))], epoch)


def ipk(board, program, version, epoch):
    """For opkg. OpenWrt's reads a compressed tar and no ar; that of OpenEmbedded, which Enigma2 has, an ar and no tar."""
    files = common(board, program) + [init_in_place(board, board["init"])]
    if board["init"] == "procd":
        # What a firmware upgrade carries over.
        files.append(File(KEEP, inside(f"/etc/stbcast/\n{board.state}/\n")))
    inner = scripts(board, "opkg", ("postinst", "prerm")) + [
        control({"Package": "stbcast", "Version": version, "Architecture": Cpu(board).opkg, "Section": "multimedia",
                 "Priority": "optional", "Maintainer": maintainer(), "License": "MIT OR Apache-2.0",
                 "Installed-Size": str(sum(len(file.data) for file in files))}),
        File("conffiles", inside(f"/{CONFIG}\n")),
    ]
    members = {"debian-binary": b"2.0\n", "control.tar.gz": archive.tar_gz(inner, epoch),
               "data.tar.gz": archive.tar_gz(files, epoch)}
    if board["init"] == "procd":
        return archive.tar_gz([File(name, data) for name, data in members.items()], epoch, directories_too=False)
    return archive.ar(list(members.items()), epoch)


def tar(board, program, papers, epoch):
    """For any image: unpacked at its root. It has no entries of directories, as those would take the place of the
    links that systems have for /lib and /bin."""
    files = everything(board, program, papers)
    return archive.tar_gz(files, epoch, prefix="", directories_too=False)


def integration(board, name, tarball, version, papers):
    """The words that the trees for Buildroot and Yocto are filled with."""
    cpu = Cpu(board)
    copyright_text = next(file.data for file in papers if file.path.endswith("/copyright"))
    return {
        **script_words(board), "VERSION": version, "TARBALL": name, "BOARD": board.name,
        "SHA256": hashlib.sha256(tarball).hexdigest(), "LICENCES_SHA256": hashlib.sha256(copyright_text).hexdigest(),
        "LICENCES_MD5": hashlib.md5(copyright_text).hexdigest(), "BR2_CPU": cpu.buildroot, "YOCTO_HOST": cpu.yocto,
        "GROUPS_DASH": ",".join(board.listed("groups")) or "-",
        "STATE_VARIABLE": re.sub("^/var/", "${localstatedir}/", board.state),
        "GROUPS_OPTION": f"--groups {','.join(board.listed('groups'))} " if board.listed("groups") else "",
    }


def buildroot(words, name, tarball):
    """An external tree: BR2_EXTERNAL names its directory."""
    texts = ("external.desc", "external.mk", "Config.in", "package/stbcast/Config.in", "package/stbcast/stbcast.mk",
             "package/stbcast/stbcast.hash")
    files = [File(f"buildroot/{text}", inside(filled(f"buildroot/{text}", words))) for text in texts]
    return files + [File(f"buildroot/package/stbcast/{name}", tarball)]


def yocto(words, name, tarball):
    """A layer for bblayers.conf."""
    recipe = f"recipes-multimedia/stbcast/stbcast_{words['VERSION']}.bb"
    return [File("yocto/meta-stbcast/conf/layer.conf", inside(filled("yocto/layer.conf", words))),
            File(f"yocto/meta-stbcast/{recipe}", inside(filled("yocto/stbcast.bb", words))),
            File(f"yocto/meta-stbcast/recipes-multimedia/stbcast/files/{name}", tarball)]
