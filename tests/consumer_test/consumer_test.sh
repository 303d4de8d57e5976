#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# Builds and runs tests/consumer from a copy of the sources that a consumer reads, with a Bazel of its own.
set -euo pipefail

# Not below $TEST_TMPDIR: its path is long, and Bazel puts a socket below its output base.
scratch=$(mktemp -d /tmp/dlock.XXXXXX)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT

cp -RL . "$scratch/dlock"
cd "$scratch/dlock/tests/consumer"

# --batch: a server would outlive the test where there is no PID namespace to end it.
bazel() { command bazel --batch --nohome_rc --output_user_root="$scratch/bazel" "$1" --jobs=2 --noshow_progress "${@:2}"; }

echo "--- where nothing is installed, all that is missing is named at once"
said=$(bazel build --repo_env=DLOCK_PREFIX=/nonexistent //:main 2>&1) && { echo "it built without libraries"; exit 1; }
for package in libboost-dev libpq-dev libmariadb-dev libsoci-dev libsqlite3-dev; do
    grep --quiet "for all backends: apt-get install .*$package" <<<"$said" || { echo "$said"; echo "no word of $package"; exit 1; }
done

bazel run //:main
