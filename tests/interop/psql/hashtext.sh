#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# psql:  hashtext.sh PSQL HASH      HASH is an expression over name: "hashtext(name)"
#
# Each command becomes a statement. exec: the process is psql itself, so its end is the end of the session.
set -euo pipefail
psql=$1 hash=$2

statements() {
    local named="FROM (VALUES ('\2')) AS named (name), "
    echo "SELECT 'ready';"
    exec sed --unbuffered --regexp-extended "
        s/'/''/g
        s/^lock(_shared)? (.*)/SELECT 'held' $named pg_advisory_lock\1($hash);/
        s/^try(_shared)? (.*)/SELECT CASE WHEN got THEN 'held' ELSE 'busy' END $named pg_try_advisory_lock\1($hash) AS got;/
        s/^unlock(_shared)? (.*)/SELECT CASE WHEN was THEN 'unlocked' ELSE 'not held' END $named pg_advisory_unlock\1($hash) AS was;/"
}

exec 3<&0
exec "$psql" --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 < <(statements <&3) 3<&-
