# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""A file that asks a question, as a programme."""

load("@rules_cc//cc:cc_binary.bzl", "cc_binary")

def question(name):
    cc_binary(
        name = name,
        testonly = True,  # because of the servers that it starts
        srcs = [name + ".cpp"],
        deps = [
            ":question",
            ":rivals",
            ":contest",
        ],
    )
