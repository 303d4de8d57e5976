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
bazel --batch --nohome_rc --output_user_root="$scratch/bazel" run --jobs=2 --nosandbox_debug --noshow_progress //:main
