"""Checks a bill of materials against the schema of CycloneDX 1.6, and that it describes this package.

usage: check_sbom.py SBOM PACKAGE
"""

import hashlib
import json
import pathlib
import re
import subprocess
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = pathlib.Path(sys.argv[1]).read_text()
if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
    sys.exit(f"error: {sys.argv[1]}: {fault}")
archive = subprocess.run(
    ["dpkg-deb", "--fsys-tarfile", sys.argv[2]], check=True, capture_output=True).stdout


def content(path):
    return subprocess.run(
        ["tar", "-xO", path], input=archive, check=True, capture_output=True).stdout


if content("./usr/share/segmentd/sbom.cdx.json") != text.encode():
    sys.exit("error: the package contains another bill of materials")
document = json.loads(text)
digest = document["metadata"]["component"]["hashes"][0]["content"]
if digest != hashlib.sha256(content("./usr/bin/segmentd")).hexdigest():
    sys.exit("error: the bill of materials is of another program")
components = document["components"]
names = {c["name"] for c in components}
depends = subprocess.run(
    ["dpkg-deb", "-f", sys.argv[2], "Depends"], check=True, capture_output=True, text=True).stdout
for library in re.findall(r"\blib\S+", depends):
    # A dependency may be a virtual package, as of OpenBLAS, whose providers begin with its name.
    if not any(name.startswith(library.rstrip(",")) for name in names):
        sys.exit(f"error: {library} is not in the bill of materials")
if not any(c["type"] == "machine-learning-model" and c["hashes"] for c in components):
    sys.exit("error: no model is in the bill of materials")
print(f"    {len(components)} components, valid CycloneDX 1.6")
