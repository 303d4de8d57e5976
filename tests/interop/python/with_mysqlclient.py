# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""mysqlclient:  with_mysqlclient.py CHARACTER_SET"""
import os
import sys

import MySQLdb

from conversation import converse
from sqlalchemy_dlock import NamedLocks

cursor = MySQLdb.connect(unix_socket=os.environ["MYSQL_UNIX_PORT"], user="root", charset=sys.argv[1]).cursor()


def ask(sql, *parameters):
    cursor.execute(sql, parameters)
    return cursor.fetchone()[0]


converse(NamedLocks(ask))
