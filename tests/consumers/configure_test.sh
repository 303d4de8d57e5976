#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# What can be seen of the CMake build without compiling: it has the sources and headers of Bazel's, one message for all that is missing,
# and no effect on a project that includes it. And that the version and the list of packages are the same wherever they stand.
set -euo pipefail

scratch=$(mktemp -d "$TEST_TMPDIR/configure.XXXXXX")
status=0
failed() { echo "FAILED: $*"; status=1; }

# The sources alone: among them lie the headers as Bazel gives them to compilers.
root=$scratch/dlock
cp -RL . "$root"
find "$root" -name _virtual_includes -prune -exec rm -rf {} +

cmake -S "$root" -B "$scratch/build" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON

echo "--- what is compiled: < only by Bazel, > only by CMake"
sed 's|^//||; s|:|/|' tests/consumers/bazel_sources | sort >"$scratch/bazel.sources"
python3 - "$scratch/build/compile_commands.json" "$root/" >"$scratch/cmake.sources" <<'PY'
import json, sys
for file in sorted(command["file"] for command in json.load(open(sys.argv[1]))):
    print(file[len(sys.argv[2]):])
PY
[[ -s $scratch/bazel.sources ]] || failed "Bazel's list is empty"
diff "$scratch/bazel.sources" "$scratch/cmake.sources" || failed "the builds compile different sources"

echo "--- which headers a program can include: < only with Bazel, > only with CMake"
# dlock/x.hpp is included by that name; what has another one lies below _virtual_includes/ under it.
find -L backends dlock -name '*.hpp' | sed -n 's|.*/_virtual_includes/[^/]*/||p; /^dlock/p' | sort -u >"$scratch/bazel.headers"
(cd "$scratch/build/include" && find . -name '*.hpp' | sed 's|^\./||' | sort) >"$scratch/cmake.headers"
[[ -s $scratch/bazel.headers ]] || failed "Bazel's list is empty"
diff "$scratch/bazel.headers" "$scratch/cmake.headers" || failed "the builds have different headers"

echo "--- the version of dlock/version.hpp stands wherever a version does"
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$scratch/build/CMakeCache.txt")
[[ $(sed -n '/^module(/,/)/ s/.*[^_]version = "\([^"]*\)".*/\1/p' MODULE.bazel) == "$version" ]] ||
    failed "MODULE.bazel does not say $version"
[[ $(grep --max-count=1 '^## ' CHANGELOG.md) == "## [$version]"* ]] || failed "the first heading of CHANGELOG.md is not that of $version"

echo "--- one list of packages: < what ./setup --consumer installs, > what CMake or Bazel names"
packages() { grep --only-matching 'lib[a-z0-9]*-dev' | sort -u; }
sed -n '/^consumer_packages=(/,/^)/p' setup | packages >"$scratch/setup.packages"
diff "$scratch/setup.packages" <(packages <cmake/dlock_dependencies.cmake) || failed "CMake has other packages"
diff "$scratch/setup.packages" <(sed -n '/^LIBRARIES = {/,/^}/p' third_party/system_library.bzl | packages) ||
    failed "Bazel has other packages"

echo "--- what a compiler says first when it is not asked for C++20"
# Each header includes another of dlock's before Hana, and the one that includes none is the one that says it.
for header in $(<"$scratch/cmake.headers"); do
    first=$(grep --extended-regexp --max-count=1 '^#include <(dlock|boost)/' "$scratch/build/include/$header" || true)
    [[ $header == dlock/detail/cxx20.hpp || $first == '#include <dlock/'* ]] ||
        failed "<$header> includes no other header of dlock's${first:+ before $first}: begin with <dlock/detail/cxx20.hpp>"
done
for header in memory sqlite postgresql mysql make_lock registry; do
    for compiler in g++ clang++-14; do
        said=$("$compiler" -std=c++17 -fsyntax-only -Wfatal-errors -I "$scratch/build/include" -x c++ - \
            <<<"#include <dlock/$header.hpp>" 2>&1) && failed "$compiler compiles <dlock/$header.hpp> as C++17"
        [[ $(grep --max-count=1 'error:' <<<"$said") == *'"dlock needs C++20: compile with -std=c++20 or newer"'* ]] || failed "$said"
    done
done

echo "--- all that is missing, at once"
said=$(cmake -S "$root" -B "$scratch/bare" -DCMAKE_FIND_ROOT_PATH=/nonexistent -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY \
    -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY 2>&1) && failed "it found libraries that are not there"
grep --quiet 'apt-get install libboost-dev libsoci-dev libsqlite3-dev libpq-dev libmariadb-dev' <<<"$said" || failed "$said"

echo "--- a database that there is not"
said=$(cmake -S "$root" -B "$scratch/oracle" -DDLOCK_BACKENDS=oracle 2>&1) && failed "it built a lock for Oracle"
grep --quiet 'there is no "oracle"; choose among sqlite, postgresql, mysql' < <(tr -s ' \n' ' ' <<<"$said") || failed "$said"

echo "--- as part of another project"
cmake -S "$root"/tests/consumers/cmake_subdirectory -B "$scratch/fetched" -DFETCH=ON
cmake -S "$root"/tests/consumers/cmake_subdirectory -B "$scratch/added"
cmake --install "$scratch/fetched" --prefix "$scratch/prefix"
[[ -z $(find "$scratch/prefix" -type f 2>/dev/null) ]] || failed "it is installed with a project that only uses it"

exit "$status"
