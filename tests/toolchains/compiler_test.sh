#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# compiler_test.sh WHERE COMPILER STANDARD      builds the libraries with CMake, and the examples, without a warning
#   WHERE   here, or the release of Debian whose compiler and libraries these are
set -euo pipefail

where=$1 compiler=$2 standard=$3
tree=$PWD
scratch=$(mktemp -d /tmp/dlock.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
cp -RL . "$scratch/dlock"

cat >"$scratch/build" <<'END'
#!/bin/bash
set -euo pipefail
compiler=$1 standard=$2
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
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
chmod +x "$scratch/build"
cd "$scratch"
case $where in
    here) ./build "$compiler" "$standard" ;;
    *) "$tree/tools/debian_root" "$where" ./build "$compiler" "$standard" ;;
esac
