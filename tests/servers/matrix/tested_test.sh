#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
set -euo pipefail
exec python3 tests/servers/matrix/tested_test.py
