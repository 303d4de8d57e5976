#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
set -euo pipefail
exec python3 tools/mutants.py --check
