# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""Cycles of sqlalchemy-dlock for sqlalchemy_dlock.cpp.

The argument is a connection string as SOCI takes it. Each line of input is a number of cycles; the answer is a line of
nanoseconds: acquire, release, acquire, release ... The first line says that it is ready.
"""
import importlib
import shlex
import sys
from time import perf_counter_ns

from sqlalchemy import create_engine
from sqlalchemy.engine import URL
from sqlalchemy_dlock import create_sadlock

DRIVERS = {
    "postgresql": {"psycopg2": "postgresql+psycopg2", "psycopg": "postgresql+psycopg"},
    "mysql": {"MySQLdb": "mysql+mysqldb", "pymysql": "mysql+pymysql"},
}


def driver(kind):
    for module, name in DRIVERS[kind].items():
        try:
            importlib.import_module(module)
            return name
        except ImportError:
            pass
    raise SystemExit("no driver for " + kind + ": pip install " + " or ".join(DRIVERS[kind]))


def connect(text):
    kind, _, words = text.partition("://")
    said = dict(word.split("=", 1) for word in shlex.split(words))
    query = {"unix_socket": said["unix_socket"]} if "unix_socket" in said else {}
    url = URL.create(
        driver(kind),
        username=said.get("user"),
        password=said.get("password"),
        host=said.get("host"),
        port=int(said["port"]) if "port" in said else None,
        database=said.get("dbname"),
        query=query,
    )
    return create_engine(url, isolation_level="AUTOCOMMIT").connect()


def main():
    lock = create_sadlock(connect(sys.argv[1]), "dlock benchmark")
    # It waits for ever with a limit of -1, of which MySQL makes "for ever" and MariaDB nothing at all.
    limit = {"timeout": 3600} if sys.argv[1].startswith("mysql") else {}
    print("ready", flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            begin = perf_counter_ns()
            if not lock.acquire(**limit):
                raise SystemExit("refused")
            held = perf_counter_ns()
            lock.release()
            times += [held - begin, perf_counter_ns() - held]
        print(*times, flush=True)


main()
