# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""The locks of sqlalchemy-dlock, whatever the driver: its keys and its statements.

The package itself is in no repository that ./setup uses; the algorithm is that of its documentation.
ask(sql, *parameters) runs a statement and returns the one value of its answer.
"""
import sys
from hashlib import blake2b


def key(name):
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), sys.byteorder, signed=True)


class AdvisoryLocks:
    """PostgreSQL's."""

    def __init__(self, ask, placeholder):
        self.ask, self.placeholder = ask, placeholder

    def call(self, function, name, shared):
        answer = self.ask(f"SELECT {function}{'_shared' if shared else ''}({self.placeholder})", key(name))
        if answer is False and "try" not in function:
            raise RuntimeError(f"{function}: the lock was not held")
        return answer

    def lock(self, name, shared):
        self.call("pg_advisory_lock", name, shared)

    def try_lock(self, name, shared):
        return self.call("pg_try_advisory_lock", name, shared)

    def unlock(self, name, shared):
        self.call("pg_advisory_unlock", name, shared)


class NamedLocks:
    """MySQL's and MariaDB's: exclusive, and the key is the name."""

    DAY = 24 * 60 * 60  # MariaDB takes no negative timeout for "for ever"

    def __init__(self, ask):
        self.ask = ask

    def lock(self, name, shared):
        if not self.get(name, self.DAY):
            raise RuntimeError("GET_LOCK gave up")

    def try_lock(self, name, shared):
        return self.get(name, 0)

    def get(self, name, timeout):
        assert (answer := self.ask("SELECT GET_LOCK(%s, %s)", name, timeout)) is not None
        return answer == 1

    def unlock(self, name, shared):
        assert self.ask("SELECT RELEASE_LOCK(%s)", name) == 1
