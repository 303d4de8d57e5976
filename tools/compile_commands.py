#!/usr/bin/env python3
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""Writes compile_commands.json for clangd and clang-tidy, from what Bazel would run.

    tools/compile_commands.py [target pattern ...] [-- bazel flags ...]      default: //...

Build first: headers with an include_prefix are symlinks below bazel-out/. $BAZEL names another bazel command.
"""

import json
import os
import shlex
import subprocess
import sys

# What clang does not know, or what would hide the real standard and the real file.
DROP = {"-fno-canonical-system-headers", "-Wno-free-nonheap-object", "-std=c++0x"}
DROP_PREFIXES = ("-D__DATE__=", "-D__TIMESTAMP__=", "-D__TIME__=")
DROP_WITH_VALUE = {"-MF", "-o"}


def bazel(*args):
    command = shlex.split(os.environ.get("BAZEL", "bazel")) + list(args)
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def absolute(argument, roots):
    """The execution root holds only what the last build linked into it, so its two large folders are named for good."""
    for folder, root in roots.items():
        for prefix in ("", "-I"):
            if argument.startswith(prefix + folder + "/"):
                return prefix + os.path.join(root, argument[len(prefix) + len(folder) + 1 :])
    return argument


def translated(arguments, roots):
    kept, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in DROP_WITH_VALUE:
            skip = True
        elif argument not in DROP and not argument.startswith(DROP_PREFIXES):
            kept.append(absolute(argument, roots))
    return kept


def main():
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    patterns, flags = arguments[:split] or ["//..."], arguments[split + 1 :]

    info = dict(line.split(": ", 1) for line in bazel("info", "workspace", "output_base", "output_path").splitlines())
    workspace = info["workspace"]
    roots = {"external": os.path.join(info["output_base"], "external"), "bazel-out": info["output_path"]}

    query = 'mnemonic("CppCompile", set(%s))' % " ".join(patterns)
    actions = json.loads(bazel("aquery", *flags, "--output=jsonproto", query)).get("actions", [])

    commands = []
    for action in actions:
        arguments = action["arguments"]
        source = arguments[arguments.index("-c") + 1]
        if not source.startswith(("external/", "bazel-out/")):
            entry = {"directory": workspace, "file": source, "arguments": translated(arguments, roots)}
            if entry not in commands:
                commands.append(entry)

    with open(os.path.join(workspace, "compile_commands.json"), "w") as output:
        json.dump(commands, output, indent=1)
    print("%d sources" % len(commands))


if __name__ == "__main__":
    main()
