# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
import os

from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}}
)

import django  # noqa: E402: after its settings

django.setup()

from django_pglocks import advisory_lock  # noqa: E402

from conversation import converse  # noqa: E402


class Locks:
    def __init__(self):
        self.held = {}

    def lock(self, name, shared):
        assert self.enter(name, shared, wait=True)

    def try_lock(self, name, shared):
        return self.enter(name, shared, wait=False)

    def enter(self, name, shared, wait):
        lock = advisory_lock(name, shared=shared, wait=wait)
        acquired = lock.__enter__()
        if acquired:
            self.held[name] = lock
        else:
            lock.__exit__(None, None, None)
        return acquired

    def unlock(self, name, shared):
        self.held.pop(name).__exit__(None, None, None)


converse(Locks())
