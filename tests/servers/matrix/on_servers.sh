#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# Runs $DLOCK_TEST_BINARY on $DLOCK_TEST_SERVERS. A server that is not there fails the test; but where it is $DLOCK_FLOATING,
# taken from a Debian suite that moves, it is one skipped case that says so.
set -euo pipefail

for server in $DLOCK_TEST_SERVERS; do
    folder=${DLOCK_SERVER_FOLDER:-/usr/local/lib/dlock-servers}/$server
    [[ -f $folder/fetched ]] && continue
    reason="$server is not in ${folder%/*}: ./setup --matrix"
    echo "$reason" >&2
    [[ " $DLOCK_FLOATING " == *" $server "* ]] || exit 1
    cat >"${XML_OUTPUT_FILE:-/dev/null}" <<XML
<testsuites><testsuite name="Matrix" tests="1" skipped="1">
<testcase classname="Matrix" name="ServerIsInstalled" status="notrun"><skipped message="$reason"/></testcase>
</testsuite></testsuites>
XML
    exit 0
done
exec "$DLOCK_TEST_BINARY" "$@"
