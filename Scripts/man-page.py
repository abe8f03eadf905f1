#!/usr/bin/env python3
"""Makes the manual page segmentd(1) of what the program says of itself.

    segmentd --experimental-dump-help | Scripts/man-page.py > segmentd.1

Every command that is shown, with each of its options, is in the page; the environment variable
SOURCE_DATE_EPOCH, where set, is its date, so that the same program gives the same page.
"""
import datetime
import json
import os
import sys

STATUSES = [
    ("0", "It was done, and nothing is wrong."),
    ("1", "It could not be done: a file, a configuration or a ledger cannot be used, or no job meets the "
          "conditions."),
    ("2", "It was done, and something needs a person: held series, damaged or missing files, faults."),
    ("64", "The command line is wrong."),
]
ENVIRONMENT = [
    ("SEGMENTD_CONFIG", "The configuration file where \\-\\-config is not given."),
    ("NO_COLOR", "Where it is set and not empty, nothing is coloured. Colours are for terminals in any case."),
]
FILES = [
    ("/etc/segmentd/segmentd.yaml", "The configuration file where nothing else is said."),
    ("/var/lib/segmentd", "The state directory where the configuration names none."),
]
SHARED = {"version", "help"}


def escape(text):
    """Plain text as roff: no character of it is a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha")
    text = text.replace("`", "\\(ga").replace("~", "\\(ti")
    text = "".join(c if ord(c) < 128 else "\\[u%04X]" % ord(c) for c in text)
    return "\n".join("\\&" + line if line.startswith(".") else line for line in text.split("\n"))


def prose(text):
    """Paragraphs; lines that are indented keep their form."""
    output = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.split("\n")
        if all(line.startswith("  ") for line in lines if line.strip()):
            output += [".PP", ".nf", ".RS 4"] + [escape(line[2:]) for line in lines] + [".RE", ".fi"]
        else:
            output += [".PP", escape(paragraph)]
    return output


def names(argument):
    """The option as it is typed, the value in italics."""
    value = argument.get("valueName", "value")
    if argument["kind"] == "positional":
        return "\\fI" + escape(value) + "\\fR"
    typed = [
        ("\\-" if name["kind"] in ("short", "longWithSingleDash") else "\\-\\-") + escape(name["name"])
        for name in argument.get("names", [])
    ]
    text = ", ".join("\\fB" + name + "\\fR" for name in typed)
    return text + (" \\fI" + escape(value) + "\\fR" if argument["kind"] == "option" else "")


def shown(command):
    return [a for a in command.get("arguments", [])
            if a.get("shouldDisplay", True) and a.get("preferredName", {}).get("name") not in SHARED]


def usage(path, command):
    parts = ["\\fB" + escape(" ".join(path)) + "\\fR"]
    for argument in shown(command):
        text = names(argument)
        if argument.get("isRepeating"):
            text += " ..."
        parts.append("[" + text + "]" if argument.get("isOptional") else text)
    return " ".join(parts)


def section(path, command):
    output = [".SS " + escape(" ".join(path))]
    if command.get("abstract"):
        output += [escape(command["abstract"])]
    children = [c for c in command.get("subcommands", []) if displayed(c)]
    if not children:
        output += [".PP", usage(path, command)]
    if command.get("discussion"):
        output += prose(command["discussion"])
    for argument in shown(command):
        output += [".TP", names(argument)]
        text = [argument.get("abstract", ""), argument.get("discussion", "")]
        if argument.get("allValueStrings"):
            text.append("One of " + ", ".join(argument["allValueStrings"]) + ".")
        if argument.get("defaultValue") not in (None, "", "[]"):
            text.append("Default: " + argument["defaultValue"] + ".")
        output += [escape(" ".join(part for part in text if part)) or "\\&"]
    for child in children:
        output += section(path + [child["commandName"]], child)
    return output


def displayed(command):
    return command.get("shouldDisplay", True) and command["commandName"] != "help"


def date():
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = (datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc) if epoch
              else datetime.datetime.now(datetime.timezone.utc))
    return moment.strftime("%Y-%m-%d")


def page(root):
    name = root["commandName"]
    output = [
        ".TH " + name.upper() + " 1 " + date(), ".nh", ".ad l", ".SH NAME",
        escape(name) + " \\- " + escape(root["abstract"].rstrip(".")), ".SH SYNOPSIS",
        "\\fB" + escape(name) + "\\fR \\fIcommand\\fR [\\fIoptions\\fR]", ".SH DESCRIPTION",
        escape(root["abstract"]),
    ]
    output += prose(root.get("discussion", ""))
    output += [".SH OPTIONS", ".TP", "\\fB\\-\\-version\\fR", "Show the version.", ".TP",
               "\\fB\\-h\\fR, \\fB\\-\\-help\\fR", "Show the help of a command.", ".TP",
               "\\fB\\-\\-generate\\-completion\\-script\\fR \\fIshell\\fR",
               "Print the completions for bash, zsh or fish.", ".SH COMMANDS"]
    for command in root["subcommands"]:
        if displayed(command):
            output += section([name, command["commandName"]], command)
    for title, rows in (("EXIT STATUS", STATUSES), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        output.append(".SH " + title)
        for term, text in rows:
            output += [".TP", "\\fB" + escape(term) + "\\fR", text]
    return "\n".join(line for line in output if line) + "\n"


sys.stdout.write(page(json.load(sys.stdin)["command"]))
