# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""A test that another compiler takes dlock, with the libraries beside which it comes."""

load("@rules_shell//shell:sh_test.bzl", "sh_test")

def compiler_test(where, compiler, standard):
    """One compiler, in one mode.

    Args:
      where: "here", or a release of Debian
      compiler: what it is called there
      standard: of C++
    """
    sh_test(
        name = "%s_%s_cxx%s_test" % (compiler.replace("+", "p"), where, standard),
        size = "large",
        srcs = ["compiler_test.sh"],
        args = [where, compiler, standard],
        data = [
            "//:sources",
            "//examples:sources",
            "//tools:debian_root",
        ],
        # A root of its own is no place that a sandbox can reach.
        tags = [
            "cpu:2",
            "matrix",
            "no-sandbox",
        ],
    )
