#!/usr/bin/env python3
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""What `bazel coverage` needs of a merger, for C++ and gcov: Debian does not package Bazel's own, which is Java.

Bazel calls it twice. After each test, with --coverage_dir: gcov's JSON files become one lcov file, of the sources in
--source_file_manifest. After all tests, with --reports_file: the lcov files listed there become one.
"""

import argparse
import collections
import glob
import gzip
import json
import os
import re


def read_gcov(path, hits):
    with gzip.open(path, "rt") as report:
        for source in json.load(report)["files"]:
            for line in source["lines"]:
                hits[os.path.normpath(source["file"])][line["line_number"]] += line["count"]


def read_lcov(path, hits):
    source = None
    with open(path) as report:
        for record in report:
            kind, _, value = record.strip().partition(":")
            if kind == "SF":
                source = value
            elif kind == "DA":
                line, count = value.split(",")[:2]
                hits[source][int(line)] += int(count)


def write_lcov(path, hits):
    with open(path, "w") as report:
        for source, lines in sorted(hits.items()):
            report.write("SF:%s\n" % source)
            report.writelines("DA:%d,%d\n" % line for line in sorted(lines.items()))
            report.write("LH:%d\nLF:%d\nend_of_record\n" % (sum(map(bool, lines.values())), len(lines)))


def real_name(source, wanted):
    """A header with an include_prefix is compiled as bazel-out/CONFIG/bin/PACKAGE/_virtual_includes/TARGET/PREFIX/NAME."""
    virtual = re.match("bazel-out/[^/]+/bin/(.+)/_virtual_includes/[^/]+(/.+)", source)
    if virtual:
        package, path = virtual.groups()
        for candidate in wanted:
            if candidate.startswith(package + "/") and path.endswith(candidate[len(package) :]):
                return candidate
    return source


def only(wanted, hits):
    kept = collections.defaultdict(collections.Counter)
    for source, lines in hits.items():
        name = real_name(source, wanted)
        if name in wanted:
            kept[name].update(lines)
    return kept


def lines_of(path):
    with open(path) as listing:
        return [line.strip() for line in listing if line.strip()]


def main():
    parser = argparse.ArgumentParser()
    for flag in ("--coverage_dir", "--reports_file", "--output_file", "--source_file_manifest"):
        parser.add_argument(flag)
    flags, _ = parser.parse_known_args()

    hits = collections.defaultdict(collections.Counter)
    if flags.reports_file:
        for report in lines_of(flags.reports_file):
            if os.path.getsize(report):
                read_lcov(report, hits)
    else:
        for report in glob.glob(os.path.join(flags.coverage_dir, "**", "*.gcov.json.gz"), recursive=True):
            read_gcov(report, hits)
        hits = only(set(lines_of(flags.source_file_manifest)), hits)
    write_lcov(flags.output_file, hits)


if __name__ == "__main__":
    main()
