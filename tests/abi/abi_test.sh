#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# Compares what each library gives to programs with the list that is checked in. A change is to be seen in review: a program that
# was linked with a symbol which is gone does not start. To accept one:   bazel run //tests/abi:abi_test -- --update
set -euo pipefail
export LC_ALL=C

status=0
for archive in $(find -L dlock backends -name '*.a' | sort); do
    # dlock -> core, backends -> dlock, backends/sqlite -> sqlite: the names that CMake gives the libraries
    case $(dirname "$archive") in
        dlock) library=core ;;
        backends) library=dlock ;;
        *) library=$(basename "$(dirname "$archive")") ;;
    esac
    list=tests/abi/$library.txt
    if [[ ${1:-} == --update ]]; then
        tests/abi/symbols_of.sh "$archive" >"$BUILD_WORKSPACE_DIRECTORY/$list"
        continue
    fi
    touch "$TEST_TMPDIR/none"
    [[ -e $list ]] || list=$TEST_TMPDIR/none
    tests/abi/symbols_of.sh "$archive" >"$TEST_TMPDIR/$library"
    gone=$(comm -23 <(sort "$list") "$TEST_TMPDIR/$library")
    new=$(comm -13 <(sort "$list") "$TEST_TMPDIR/$library")
    if [[ $gone ]]; then
        printf 'GONE from libdlock_%s, and programs that use it will not start:\n%s\n' "$library" "$gone"
        echo "  Keep it, or raise DLOCK_ABI in CMakeLists.txt if it was in a release, say so in CHANGELOG.md, and update the list."
        status=1
    fi
    if [[ $new ]]; then
        printf 'NEW in libdlock_%s, and not yet promised to programs:\n%s\n' "$library" "$new"
        echo "  Make it local to its .cpp (a namespace without a name) if no header needs it; else update the list."
        status=1
    fi
done
((status == 0)) || echo "To update the lists: bazel run //tests/abi:abi_test -- --update"
[[ $(find -L dlock backends -name '*.a' | wc -l) -ge 7 || ${1:-} ]] || { echo "the libraries were not found"; status=1; }
exit "$status"
