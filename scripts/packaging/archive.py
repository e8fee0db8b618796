"""Archives whose bytes depend on nothing but what is in them: sorted, owned by root, one time for all."""

import gzip
import io
import tarfile
from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """A file of a package; `path` has no slash at its start."""

    path: str
    data: bytes
    mode: int = 0o644


def directories(files):
    """All directories that the files lie in, each before what is in it."""
    found = set()
    for file in files:
        parts = file.path.split("/")[:-1]
        found.update("/".join(parts[: i + 1]) for i in range(len(parts)))
    return sorted(found)


def tar(files, epoch, prefix="./", directories_too=True):
    """An uncompressed tar archive (ustar, which busybox and every opkg read)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:

        def add(path, kind, mode, data=b""):
            entry = tarfile.TarInfo(prefix + path)
            entry.type, entry.mode, entry.mtime, entry.size = kind, mode, epoch, len(data)
            entry.uname = entry.gname = "root"
            archive.addfile(entry, io.BytesIO(data))

        if directories_too:
            add("", tarfile.DIRTYPE, 0o755)
        for path in directories(files) if directories_too else ():
            add(path + "/", tarfile.DIRTYPE, 0o755)
        for file in sorted(files, key=lambda f: f.path):
            add(file.path, tarfile.REGTYPE, file.mode, file.data)
    return out.getvalue()


def gz(data):
    """The same bytes compressed, without a name or a time."""
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=9, mtime=0) as stream:
        stream.write(data)
    return out.getvalue()


def tar_gz(files, epoch, **how):
    """A compressed tar archive."""
    return gz(tar(files, epoch, **how))


def ar(members, epoch):
    """A Unix archive, the outer format of a .deb and of OpenEmbedded's .ipk. `members` are pairs of name and bytes."""
    out = [b"!<arch>\n"]
    for name, data in members:
        out.append(b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (name.encode(), epoch, 0, 0, 0o100644, len(data)))
        out.append(data + b"\n" * (len(data) % 2))
    return b"".join(out)
