#!/usr/bin/env python3
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""That README.md and docs/ claim the servers of docs/tested.md, which a run has written, and no other; and that the run
knew every server of the matrix."""

import re
import sys

SERVERS = {}
exec(open("tests/servers/matrix/servers.bzl").read())

KINDS = {  # as the documents call it: who claims it where
    "PostgreSQL": ("postgresql", "docs/postgresql.md"),
    "MariaDB": ("mariadb", "docs/mysql.md"),
    "MySQL": ("mysql", "docs/mysql.md"),
}


def text(file):
    return open(file).read()


def short(kind, version):
    """15.18 → 15, but 10.11.14 → 10.11"""
    return version.split(".")[0] if kind == "PostgreSQL" else ".".join(version.split(".")[:2])


def ran(kind):
    section = re.search(r"^## %s\n\n(.*?)(?=\n## |\Z)" % kind, text("docs/tested.md"), re.M | re.S).group(1)
    return {short(kind, version.strip()) for version in section.splitlines()[0].strip("| ").split("|")[1:]}


def numbers(sentence):
    return set(re.findall(r"\d+(?:\.\d+)?", sentence))


def claimed_by_readme(kind):
    row = next(line for line in text("README.md").splitlines() if "tested with" in line and line.startswith("|"))
    postgresql, mysql = (cell.strip() for cell in row.split("|")[2:4])
    if kind == "PostgreSQL":
        return numbers(postgresql)
    return numbers(re.search(kind + r" ([\d., ]+)", mysql).group(1).rstrip(". "))


def claimed_by(document, kind):
    sentence = text(document).partition("## Tested with\n")[2]
    return numbers(re.search(kind + r" ((?:\d+(?:\.\d+)?|, | and )+)", sentence).group(1))


wrong = []
for kind, (short_kind, document) in KINDS.items():
    for name in (name for name in SERVERS if name.rpartition("-")[0] == short_kind):
        number = name.rpartition("-")[2]
        if not any(version == number or version.startswith(number + ".") for version in ran(kind)):
            wrong.append("docs/tested.md has no column for %s: DLOCK_TESTED=docs/tested.md .ci/run" % name)
    for where, claim in ("README.md", claimed_by_readme(kind)), (document, claimed_by(document, kind)):
        if claim != ran(kind):
            wrong.append("%s says %s %s, docs/tested.md %s" % (where, kind, sorted(claim), sorted(ran(kind))))
print("\n".join(wrong))
sys.exit(bool(wrong))
