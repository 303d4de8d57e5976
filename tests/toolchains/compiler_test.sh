#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# compiler_test.sh WHERE COMPILER STANDARD      builds the libraries with CMake, and the examples
#   WHERE   here, or the release of Debian whose compiler and libraries these are. Where that cannot be had, the test is
#           skipped, and says so. A warning is an error, but not in sid, whose compilers learn new ones any day.
set -euo pipefail

where=$1 compiler=$2 standard=$3
tree=$PWD
if [[ $where != here ]] && ! "$tree/tools/debian_root" "$where"; then
    name=$(basename "$TEST_BINARY")
    cat >"$XML_OUTPUT_FILE" <<XML
<testsuites><testsuite name="$name" tests="1" skipped="1"><testcase name="$name"><skipped message="there is no Debian $where here"/></testcase></testsuite></testsuites>
XML
    exit 0
fi
scratch=$(mktemp -d /tmp/dlock.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
cp -RL . "$scratch/dlock"

cat >"$scratch/compile" <<'END'
#!/bin/bash
set -euo pipefail
where=$1 compiler=$2 standard=$3
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion)
[[ $where == sid ]] || warnings+=(-Werror)
"$compiler" --version | head -1
pkg-config --modversion libpq sqlite3 | paste -sd' ' | sed 's/^/libpq, sqlite3: /'
sed -n 's/^#define SOCI_LIB_VERSION "\(.*\)"/SOCI: \1/p' /usr/include/soci/version.h
cmake -S dlock -B build -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_STANDARD="$standard" \
    -DCMAKE_CXX_FLAGS="${warnings[*]}" >cmake.log || { cat cmake.log; exit 1; }
cmake --build build --parallel 2 >build.log || { cat build.log; exit 1; }
# Templates are compiled where they are used.
for example in dlock/examples/*.cpp; do
    "$compiler" -std="c++$standard" -fsyntax-only "${warnings[@]}" -Ibuild/include -Idlock -isystem /usr/include/postgresql -isystem /usr/include/mariadb \
        "$example"
done
END
chmod +x "$scratch/compile"
cd "$scratch"
case $where in
    here) ./compile "$where" "$compiler" "$standard" ;;
    *) "$tree/tools/debian_root" "$where" ./compile "$where" "$compiler" "$standard" ;;
esac
