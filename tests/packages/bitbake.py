"""Parses a recipe by BitBake's own parser and prints what it makes of it, as JSON.

  bitbake.py RECIPE WORKDIR

The classes that come with OpenEmbedded are empty here: what is judged is the recipe.
"""

import json
import os
import sys
import tempfile
import types

for absent in ("hashserv", "hashserv.client"):  # a server of signatures, which PyPI's BitBake comes without
    sys.modules[absent] = types.ModuleType(absent)

import bb.data_smart  # noqa: E402
import bb.parse  # noqa: E402

SHOWN = ("PN", "PV", "SRC_URI", "S", "LICENSE", "LIC_FILES_CHKSUM", "COMPATIBLE_HOST", "SYSTEMD_SERVICE:stbcast",
         "USERADD_PARAM:stbcast", "GROUPADD_PARAM:stbcast", "INITSCRIPT_NAME", "FILES:stbcast", "do_install")


def parsed(recipe, work, features):
    with tempfile.TemporaryDirectory() as place:
        os.mkdir(f"{place}/classes")
        for name in ("base", "systemd", "update-rc.d", "useradd"):
            with open(f"{place}/classes/{name}.bbclass", "w", encoding="ascii") as file:
                file.write("")
        data = bb.data_smart.DataSmart()
        data.setVar("BBPATH", place)
        data.setVar("DISTRO_FEATURES", features)
        for key, value in {"WORKDIR": work, "__bbclasstype": "recipe", "PN": "stbcast", "PV": recipe.rsplit("_", 1)[1].removesuffix(".bb"),
                           "OVERRIDES": "stbcast", "BP": "${PN}-${PV}", "FILE": recipe, "bindir": "/usr/bin", "sysconfdir": "/etc", "D": "${WORKDIR}/image",
                           "localstatedir": "/var", "systemd_system_unitdir": "/lib/systemd/system"}.items():
            data.setVar(key, value)
        bb.parse.init_parser(data)
        data = bb.parse.handle(recipe, data)[""]
        found = {key: data.getVar(key) for key in SHOWN}
        found["sha256"] = data.getVarFlag("SRC_URI", "stbcast.sha256sum")
        return found


recipe, work = map(os.path.abspath, sys.argv[1:])
print(json.dumps({features: parsed(recipe, work, features) for features in ("systemd", "sysvinit")}))
