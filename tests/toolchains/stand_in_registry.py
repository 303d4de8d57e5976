#!/usr/bin/env python3
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""stand_in_registry.py FOLDER: makes a registry of Bazel modules there, for machines that reach none.

It has what MODULE.bazel asks for: stand-ins that link Debian's own GoogleTest and Google Benchmark; and what Bazel's own tools ask
for, without content, since no target here needs it. (Debian's Bazel brings its own rules_cc.) Debian's Bazel 7.7.1 asks for these
versions; another one that asks for more says so by name.
"""

import json
import pathlib
import sys

SH_RULES = ["sh_binary", "sh_library", "sh_test"]


def linked(*libraries):
    """A BUILD file of libraries whose headers lie where every compiler looks."""
    rule = 'cc_library(name = "%s", linkopts = [%s, "-pthread"], visibility = ["//visibility:public"])\n'
    return "".join(rule % (name, ", ".join('"-l%s"' % part for part in parts)) for name, *parts in libraries)


MODULES = {
    "googletest@1.18.0": {
        "BUILD.bazel": linked(
            ("gtest", "gmock", "gtest"), ("gtest_main", "gtest_main", "gmock", "gtest")
        )
    },
    "google_benchmark@1.9.5": {
        "BUILD.bazel": linked(
            ("benchmark", "benchmark"), ("benchmark_main", "benchmark_main", "benchmark")
        )
    },
    "rules_shell@0.6.1": {
        "shell/BUILD.bazel": "",
        **{"shell/%s.bzl" % rule: "%s = native.%s\n" % (rule, rule) for rule in SH_RULES},
    },
    "apple_support@1.23.1": {},
    "buildozer@7.1.2": {},
    "protobuf@3.19.6": {},
    "protobuf@21.7": {},
    "zlib@1.3.1.bcr.3": {},
}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def main():
    registry = pathlib.Path(sys.argv[1])
    write(registry / "bazel_registry.json", json.dumps({"module_base_path": "sources"}))
    for module, files in MODULES.items():
        name, version = module.split("@")
        declaration = 'module(name = "%s", version = "%s")\n' % (name, version)
        described = registry / "modules" / name / version
        write(described / "MODULE.bazel", declaration)
        write(described / "source.json", json.dumps({"type": "local_path", "path": module}))
        for path, text in {"BUILD.bazel": "", **files, "MODULE.bazel": declaration}.items():
            write(registry / "sources" / module / path, text)


if __name__ == "__main__":
    main()
