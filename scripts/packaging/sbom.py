"""The bill of materials: CycloneDX 1.5, of what is linked into the firmware and nothing else."""

import datetime
import hashlib
import json
import uuid

# So that a serial number is made of what it stands for, and the same again.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "pkg:generic/stbcast")


def component(part, kind="library"):
    """A part as CycloneDX has it."""
    entry = {"type": kind, "bom-ref": part.purl, "name": part.name, "version": part.version,
             "licenses": [{"expression": part.licence}], "purl": part.purl}
    if part.sha256:
        # Of the archive that cargo takes from the registry.
        entry["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    return entry


def document(board, parts, image, epoch):
    """The file's bytes."""
    itself = component(parts[0], "firmware")
    itself["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(image).hexdigest()}]
    itself["properties"] = [{"name": f"stbcast:{key}", "value": board[key]} for key in ("name", "target", "features")]
    content = {
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": itself,
        },
        "components": [component(part) for part in parts[1:]],
        "dependencies": [{"ref": parts[0].purl, "dependsOn": [part.purl for part in parts[1:]]}]
        + [{"ref": part.purl} for part in parts[1:]],
    }
    serial = uuid.uuid5(NAMESPACE, json.dumps(content, sort_keys=True))
    head = {"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": f"urn:uuid:{serial}", "version": 1}
    return (json.dumps({**head, **content}, indent=1, ensure_ascii=False) + "\n").encode()
