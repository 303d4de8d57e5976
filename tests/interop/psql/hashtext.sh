#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# psql:  hashtext.sh PSQL HASH session|transaction      HASH is an expression over name: "hashtext(name)"
#
# Each command becomes a statement. exec: the process is psql itself, so its end is the end of the session.
set -euo pipefail
psql=$1 hash=$2 level=$3

named="FROM (VALUES ('\2')) AS named (name), "
case $level in
session)
    begin="" lock=advisory_lock
    unlock="SELECT CASE WHEN was THEN 'unlocked' ELSE 'not held' END $named pg_advisory_unlock\1($hash) AS was;"
    ;;
transaction)
    begin="BEGIN; " lock=advisory_xact_lock
    unlock="COMMIT; SELECT 'unlocked';"
    ;;
esac

statements() {
    echo "SELECT 'ready';"
    exec sed --unbuffered --regexp-extended "
        s/'/''/g
        s/^lock(_shared)? (.*)/${begin}SELECT 'held' $named pg_$lock\1($hash);/
        s/^try(_shared)? (.*)/${begin}SELECT CASE WHEN got THEN 'held' ELSE 'busy' END $named pg_try_$lock\1($hash) AS got;/
        s/^unlock(_shared)? (.*)/$unlock/"
}

export PGOPTIONS=--client-min-messages=error # a second BEGIN is a warning
exec 3<&0
exec "$psql" --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 < <(statements <&3) 3<&-
