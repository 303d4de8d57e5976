# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""psycopg 3, which binds its parameters on the server."""
import psycopg

from conversation import converse
from sqlalchemy_dlock import AdvisoryLocks

db = psycopg.connect()  # libpq knows everything from the environment
converse(AdvisoryLocks(lambda sql, *parameters: db.execute(sql, parameters).fetchone()[0], "%s"))
