#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# Packs all of dlock for Debian, installs the packages by apt in a fresh minimal Debian 12, and there compiles and runs a program
# with nothing else than they asked for, a compiler and pkg-config. Needs root and Debian's mirror; without them it is skipped, and says so.
set -euo pipefail

skip() {
    echo "SKIPPED: $1"
    cat >"$XML_OUTPUT_FILE" <<XML
<testsuites>
  <testsuite name="fresh_root_test" tests="1" skipped="1">
    <testcase name="fresh_root_test"><skipped message="$1"/></testcase>
  </testsuite>
</testsuites>
XML
    exit 0
}
[[ $(id -u) == 0 ]] || skip "only root can make a root"
command -v debootstrap >/dev/null || skip "debootstrap is not installed: ./setup --matrix"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sed -n '/security/!{p;q}')
[[ $mirror ]] || skip "apt knows no mirror of Debian"

scratch=$(mktemp -d /tmp/dlock.XXXXXX)
root=$scratch/root
trap 'rm -rf --one-file-system "$scratch"' EXIT

cp -RL . "$scratch/dlock"
cmake -S "$scratch/dlock" -B "$scratch/build" -DBUILD_SHARED_LIBS=ON -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_BUILD_TYPE=Release
cmake --build "$scratch/build" --parallel 2
(cd "$scratch/build" && cpack -G DEB)

debootstrap --variant=minbase bookworm "$root" "$mirror" >"$scratch/debootstrap.log" || { tail "$scratch/debootstrap.log"; exit 1; }
cp /etc/resolv.conf "$root/etc/"
# What this machine is told about its mirror (a proxy, a snapshot's date) holds in there too.
for file in $(grep --files-without-match Invoke /etc/apt/apt.conf.d/*); do cp "$file" "$root/etc/apt/apt.conf.d/"; done
rm -f "$root/etc/apt/sources.list"
cp -R /etc/apt/sources.list* "$root/etc/apt/"
cp -R /usr/share/keyrings/. "$root/usr/share/keyrings/"
cp "$scratch"/build/*.deb "$scratch"/dlock/tests/consumers/*.cpp "$root/tmp/"

# Mounted in a namespace of its own, /proc ends with it.
unshare --mount --propagation private bash -euc 'mount -t proc proc "$0/proc"; exec chroot "$0" "$@"' "$root" \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive bash -euc '
    cd /tmp
    apt-get update
    apt-get install --yes --no-install-recommends ./libdlock0_*.deb ./libdlock-dev_*.deb g++ pkg-config
    for program in main every_backend; do
        g++ -std=c++20 $program.cpp $(pkg-config --cflags --libs dlock) -o $program
        ./$program
    done
    echo "--- the library alone is enough to run"
    apt-get remove --yes libdlock-dev
    ./main
    ./every_backend'
