# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
import os

import psycopg2

from conversation import converse
from sqlalchemy_dlock import AdvisoryLocks

cursor = psycopg2.connect(dbname=os.environ["PGDATABASE"]).cursor()  # libpq knows the rest from the environment


def ask(sql, *parameters):
    cursor.execute(sql, parameters)
    return cursor.fetchone()[0]


converse(AdvisoryLocks(ask, "%s"))
