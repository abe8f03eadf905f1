"""What the program consists of: a bill of materials (CycloneDX 1.6) and the notices of what is linked into it.

usage: components.py VERSION PROGRAM MODELS CHECKOUTS RESOLVED SBOM NOTICES

Deterministic: the time is SOURCE_DATE_EPOCH, the serial number follows from the program's hash.
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def sha256(file):
    return {"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}


def licence_of(text):
    if "Apache License" in text:
        return "Apache-2.0"
    if "Permission is hereby granted, free of charge" in text:
        return "MIT"
    sys.exit(f"error: components.py does not know this licence: {text[:200]!r}")


def swift_package(pin, checkouts):
    folder = next(
        f for f in sorted(checkouts.iterdir())
        if f.name.lower() == pathlib.PurePath(pin["location"]).name.removesuffix(".git").lower())
    text = next(folder.glob("LICENSE*")).read_text()
    location = pin["location"].removesuffix(".git")
    version = pin["state"]["version"]
    namespace, name = location.removeprefix("https://").rsplit("/", 1)
    return folder, {
        "type": "library", "bom-ref": f"swift:{pin['identity']}", "name": name, "version": version,
        "purl": f"pkg:swift/{namespace}/{name}@{version}",
        "licenses": [{"license": {"id": licence_of(text)}}],
        "externalReferences": [{"type": "vcs", "url": location}],
        "properties": [{"name": "git:revision", "value": pin["state"]["revision"]}],
    }


# Libraries whose sources are within Swift packages, so that their faults are not those of Debian's copies: where they
# are, and what their version is (libyaml's sources say none).
COPIES = {
    "boringssl": ("Sources/*BoringSSL/hash.txt", r"revision ([0-9a-f]{40})"),
    "zlib": ("Sources/CNIOExtrasZlib/**/*.h", r'#define \w*ZLIB_VERSION "([^"]+)"'),
    "libyaml": ("Sources/CYaml/include/yaml.h", None),
}


def copies(folder, identity):
    for name, (files, pattern) in COPIES.items():
        texts = [file.read_text() for file in sorted(folder.glob(files))]
        if not texts:
            continue
        found = re.search(pattern, "\n".join(texts)) if pattern else None
        if pattern and not found:
            sys.exit(f"error: the version of {name} in {identity} is not where it was")
        version = {"version": found.group(1)} if found else {}
        yield {
            "type": "library", "bom-ref": f"{name}:{identity}", "name": name, **version,
            "purl": f"pkg:generic/{name}" + (f"@{found.group(1)}" if found else ""),
            "description": f"contained in {identity}",
        }


def debian_libraries(program):
    """The packages of the shared libraries that the program loads, and those that it names itself."""
    named = set(re.findall(r"NEEDED\s+(\S+)", output("objdump", "-p", str(program))))
    release = dict(
        line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines()
        if "=" in line)
    distribution = f"{release['ID']}-{release['VERSION_ID']}".replace('"', "")
    paths = dict(re.findall(r"(\S+) => (/\S+)", output("ldd", str(program))))
    owners = owners_of(paths.values())
    names = sorted({owners[path] for path in paths.values()})
    states = output("dpkg-query", "-W", "-f=${binary:Package} ${Version} ${source:Package}\n", *names)
    components = []
    for full, version, source in (line.split(" ") for line in sorted(states.splitlines())):
        package = full.split(":")[0]
        components.append({
            "type": "library", "bom-ref": f"debian:{package}", "name": package, "version": version,
            "purl": f"pkg:deb/debian/{package}@{version.replace('+', '%2B')}"
            f"?arch=amd64&distro={distribution}",
            "description": f"from the source package {source}; the version with which it was linked, a "
            "site has that of its own system",
        })
    direct = {f"debian:{owners[paths[name]].split(':')[0]}" for name in named if name in paths}
    return components, direct


def owners_of(paths):
    """The Debian package of each library, known by its path with or without /usr, or by what a link leads to."""
    candidates = {
        path: {known for end in (path, os.path.realpath(path))
               for known in (end, end.removeprefix("/usr"), f"/usr{end}")}
        for path in paths}
    # It fails where one is not known, as some are not.
    found = subprocess.run(
        ["dpkg", "-S", *sorted(set().union(*candidates.values()))], capture_output=True, text=True)
    packages = {
        path: package.split(", ")[0]
        for package, path in (line.rsplit(": ", 1) for line in found.stdout.splitlines())}
    owners = {}
    for path, known in candidates.items():
        owners[path] = next((packages[k] for k in sorted(known) if k in packages), None)
        if owners[path] is None:
            sys.exit(f"error: no Debian package has {path}")
    return owners


def model(folder):
    description = (folder / "model.yaml").read_text()
    version = re.search(r"^version: (\S+)", description, re.M).group(1)
    licence = re.search(r"CC BY(?:-\w+)* 4\.0", (folder / "CARD.md").read_text()).group()
    return {
        "type": "machine-learning-model", "bom-ref": f"model:{folder.name}",
        "name": f"segmentd-model-{folder.name}", "version": version, "scope": "optional",
        "description": re.search(r"^summary: (.+)", description, re.M).group(1),
        "hashes": [sha256(folder / "weights.safetensors")],
        "licenses": [{"license": {"id": licence.replace(" ", "-")}}],
    }


def notices(packages, toolchain_licence):
    """Every licence once, each notice of every package."""
    parts, seen = ["What is linked into segmentd, and its licences.\n"], {}
    for folder, component in packages:
        title = f"{component['name']} {component['version']}"
        parts.append(f"{'=' * 78}\n{title}\n")
        for file in sorted([*folder.glob("NOTICE*"), *folder.glob("LICENSE*")]):
            text = file.read_text().strip("\n")
            parts.append(
                f"{file.name}: the same as of {seen[text]}\n" if text in seen else f"{text}\n")
            seen.setdefault(text, title)
    parts.append(f"{'=' * 78}\nSwift's standard library and Foundation\n\n{toolchain_licence}")
    return "\n".join(parts)


def main(version, program, models, checkouts, resolved, sbom, notice):
    program, models, checkouts = (pathlib.Path(p) for p in (program, models, checkouts))
    pins = json.loads(pathlib.Path(resolved).read_text())["pins"]
    packages = [swift_package(pin, checkouts) for pin in pins]
    contained = {
        package["bom-ref"]: list(copies(folder, package["bom-ref"].removeprefix("swift:")))
        for folder, package in packages}
    libraries, direct = debian_libraries(program)
    trained = [model(f.parent) for f in sorted(models.glob("*/model.yaml"))]
    compiler = re.search(r"Swift version (\S+)", output("swift", "--version")).group(1)
    runtime = {
        "type": "framework", "bom-ref": "swift:runtime", "name": "swift-runtime", "version": compiler,
        "description": "Swift's standard library and Foundation, linked statically",
        "licenses": [{"expression": "Apache-2.0 WITH Swift-exception"}],
    }
    time = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    linked = [component for _, component in packages] + [runtime]
    digest = sha256(program)
    document = {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest['content'])}",
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application", "bom-ref": "segmentd", "name": "segmentd", "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}], "hashes": [digest],
            },
        },
        "components": linked + sum(contained.values(), []) + libraries + trained,
        "dependencies": [
            {"ref": "segmentd", "dependsOn": sorted(c["bom-ref"] for c in linked) + sorted(direct)},
            *({"ref": ref, "dependsOn": [c["bom-ref"] for c in parts]}
              for ref, parts in contained.items() if parts),
        ],
    }
    pathlib.Path(sbom).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    toolchain = pathlib.Path(output("which", "swift").strip()).resolve().parents[1]
    pathlib.Path(notice).write_text(
        notices(packages, (toolchain / "share/swift/LICENSE.txt").read_text()))


if __name__ == "__main__":
    main(*sys.argv[1:])
