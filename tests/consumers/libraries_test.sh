#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# libraries_test.sh shared|static: builds the libraries from clean folders, then builds and runs the programs that use them. The shared
# ones are packed for Debian, and what is used is what comes out of the packages; the static ones are built by a project that has dlock
# in a folder of its own, and are installed with it.
set -euo pipefail

scratch=$(mktemp -d "$TEST_TMPDIR/consumers.XXXXXX")
cp -RL . "$scratch/dlock"
cd "$scratch"
consumers=$scratch/dlock/tests/consumers
prefix=$scratch/prefix
unset CXXFLAGS LDFLAGS CMAKE_PREFIX_PATH PKG_CONFIG_PATH

run() {
    echo "--- $1"
    (mkdir "$scratch/run.$1" && cd "$scratch/run.$1" && "${@:2}")
}

if [[ $1 == shared ]]; then
    cmake -S dlock -B build -DBUILD_SHARED_LIBS=ON -DCMAKE_INSTALL_PREFIX=/usr -DDLOCK_BACKENDS=sqlite -DCMAKE_BUILD_TYPE=None
    cmake --build build --parallel 2
    includes=build/include
    (cd build && cpack -G DEB)
    runtime=$(echo build/libdlock0_*.deb)
    development=$(echo build/libdlock-dev_*.deb)
    echo "--- what the packages ask for"
    dpkg-deb --field "$runtime" | tee runtime.control
    dpkg-deb --field "$development" | tee development.control
    grep --quiet '^Depends: .*libsoci-sqlite3-4.0.*libsqlite3-0' runtime.control
    grep --quiet '^Depends: libdlock0 (= [0-9.]*), libboost-dev, libsoci-dev, libsqlite3-dev$' development.control
    dpkg-deb --extract "$runtime" root
    dpkg-deb --extract "$development" root
    prefix=$scratch/root/usr
else
    cmake -S "$consumers/cmake_subdirectory" -B build -DDLOCK_INSTALL=ON
    cmake --build build --parallel 2
    run subdirectory "$scratch/build/main"
    includes=build/dlock/include
    cmake --install build --prefix "$prefix" >installed.log
fi
libraries=$(dirname "$(find "$prefix" -name 'libdlock_core.*' | head -n 1)")

echo "--- the headers that were installed are those that dlock was compiled with"
diff <(cd "$includes" && find . -name '*.hpp' | sort) <(cd "$prefix/include" && find . -type f | sort)

cmake -S "$consumers/cmake_find_package" -B find_package -DCMAKE_PREFIX_PATH="$prefix"
cmake --build find_package
run find_package "$scratch/find_package/main"

export PKG_CONFIG_PATH=$libraries/pkgconfig
make -C "$consumers/make_pkg_config"
run pkg_config env LD_LIBRARY_PATH="$libraries" "$consumers/make_pkg_config/main" | tee said
grep --quiet --line-regexp "dlock $(pkg-config --modversion dlock-sqlite)" said

echo "--- each program runs with the libraries that it is meant to"
for program in find_package/main "$consumers/make_pkg_config/main"; do
    needed=$(readelf --dynamic "$program" | grep -c 'NEEDED.*libdlock_sqlite.so' || true)
    [[ $needed == $([[ $1 == shared ]] && echo 1 || echo 0) ]] || { echo "$program needs $needed shared library of dlock"; exit 1; }
done

refused() {  # refused TEXT COMMAND…: it fails, and says TEXT
    local said
    if said=$("${@:2}" 2>&1); then echo "$said"; echo "it worked, and should have said: $1"; exit 1; fi
    tr -s ' \n' ' ' <<<"$said" | grep --quiet --fixed-strings -- "$1" || { echo "$said"; echo "it should have said: $1"; exit 1; }
}

echo "--- what cannot be had is refused with the reason"
refused 'This dlock has no component "postgresql". It has: core, memory, soci, sqlite.' \
    cmake -S "$consumers/cmake_find_package" -B refused -DCMAKE_PREFIX_PATH="$prefix" -DCOMPONENT=postgresql
refused 'compatible with requested version "0.2"' \
    cmake -S "$consumers/cmake_find_package" -B refused2 -DCMAKE_PREFIX_PATH="$prefix" -DDLOCK_WANTED=0.2
refused 'apt-get install libboost-dev libsoci-dev libsqlite3-dev' \
    cmake -S "$consumers/cmake_find_package" -B refused3 -Ddlock_DIR="$libraries/cmake/dlock" \
    -DCMAKE_FIND_ROOT_PATH=/nonexistent -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY \
    -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=NEVER

if [[ $1 == shared ]]; then
    echo "--- the shared libraries export what is listed"
    for component in core soci memory sqlite; do
        dlock/tests/abi/symbols_of.sh "$libraries/libdlock_$component.so" >exported
        diff dlock/tests/abi/$component.txt exported || { echo "libdlock_$component.so differs from tests/abi/$component.txt"; exit 1; }
    done
fi
