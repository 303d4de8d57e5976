#!/bin/bash
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# symbols_of.sh FILE…: what the libraries (.so or .a) give to the programs that are linked with them, one readable line each, sorted. Weak
# symbols are left out: a program that uses such a function has its own copy, and whether a library has one is the compiler's choice.
set -euo pipefail
export LC_ALL=C

for file in "$@"; do
    if [[ $file == *.a ]]; then nm --extern-only --defined-only "$file"; else nm --dynamic --defined-only "$file"; fi
done |
    awk '$2 ~ /^[TDBRG]$/ && $3 ~ /^_Z(N|NK|NO|NR|NKR|TV|TI|TS|TT|TC|TH|TW|GV)*[0-9N]*5dlock/ { print $3 }' |
    c++filt |
    sed 's/std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >/std::string/g
         s/std::basic_string_view<char, std::char_traits<char> >/std::string_view/g' |
    sort -u
