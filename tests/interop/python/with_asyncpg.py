# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""asyncpg, which speaks to the server without libpq."""
import asyncio
import os

import asyncpg

from conversation import converse
from sqlalchemy_dlock import AdvisoryLocks

loop = asyncio.new_event_loop()
db = loop.run_until_complete(asyncpg.connect(server_settings={"application_name": os.environ["PGAPPNAME"]}))
converse(AdvisoryLocks(lambda sql, *parameters: loop.run_until_complete(db.fetchval(sql, *parameters)), "$1"))
