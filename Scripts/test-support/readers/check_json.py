"""Compares JSON documents with their schemas.

Usage:
  check_json.py output NAME FILE    what a command printed with --json, with Config/json-schemas/NAME.schema.json
  check_json.py api DOCUMENT FILE   answers of the REST API, with the OpenAPI document: FILE is a list of objects with
                                    method, path, status and body

Prints one line for each difference; the exit status is 1 where there is one. A key that a schema does not name is a
difference here, so that no command prints what is not documented; scripts have to pass over it.
"""

import copy
import json
import pathlib
import re
import sys

import jsonschema
from referencing import Registry, Resource

SCHEMAS = pathlib.Path(__file__).resolve().parents[3] / "Config/json-schemas"


def closed(schema):
    """A schema whose objects have no other keys than those that it names."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if "properties" in made and isinstance(made["properties"], dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def differences(validator, document):
    for error in validator.iter_errors(document):
        place = "/".join(str(part) for part in error.absolute_path)
        yield f"/{place}: {error.message[:300]}"


def of_output(name, file):
    resources = []
    for path in SCHEMAS.glob("*.schema.json"):
        schema = json.loads(path.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        resources.append((path.name, Resource.from_contents(closed(schema))))
    validator = jsonschema.Draft202012Validator(
        {"$ref": f"{name}.schema.json"}, registry=Registry().with_resources(resources),
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    return list(differences(validator, json.loads(pathlib.Path(file).read_text())))


def operation(document, answer):
    """The documented operation of a request: the path with most fixed steps."""
    path = answer["path"].split("?")[0]
    found = [
        (template.count("{"), item[answer["method"]])
        for template, item in document["paths"].items()
        if answer["method"] in item
        and re.fullmatch(re.sub(r"\\{[^/]*\\}", "[^/]+", re.escape(template)), path)
    ]
    return min(found, key=lambda one: one[0])[1] if found else None


def of_api(document, file):
    document = json.loads(pathlib.Path(document).read_text())
    found = []
    for answer in json.loads(pathlib.Path(file).read_text()):
        name = f"{answer['method']} {answer['path']}"
        described = operation(document, answer)
        response = (described or {}).get("responses", {}).get(str(answer["status"]))
        if response is None:
            found.append(f"{name}: {answer['status']} is not documented")
            continue
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        schema = response["content"].get("application/json", {}).get("schema")
        if schema is None:
            continue
        whole = closed(copy.deepcopy(schema)) | {"components": closed(document["components"])}
        validator = jsonschema.Draft202012Validator(whole)
        found += [f"{name}: {line}" for line in differences(validator, json.loads(answer["body"]))]
    return found


if __name__ == "__main__":
    lines = {"output": of_output, "api": of_api}[sys.argv[1]](*sys.argv[2:])
    print("\n".join(lines))
    sys.exit(1 if lines else 0)
