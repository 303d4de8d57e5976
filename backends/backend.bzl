# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""The skeleton every backend shares."""

load("@rules_cc//cc:cc_library.bzl", "cc_library")
load("//tools:self_contained.bzl", "self_contained")

def dlock_backend(name, soci = None, deps = []):
    """One backend: the folder's name is its name, <dlock/NAME.hpp> its public header, <dlock/NAME/...> the rest.

    Args:
      name: the folder's
      soci: the SOCI backend it speaks through; None: it has no sessions
      deps: what else it needs. Never another backend: tests/layers would tell
    """
    facade = name + ".hpp"
    parts = native.glob(["**/*.hpp"], exclude = [facade])

    cc_library(
        name = name + "_parts",
        srcs = native.glob(["**/*.cpp"], allow_empty = True),
        hdrs = parts,
        include_prefix = "dlock",
        strip_include_prefix = "/backends",
        deps = ["//dlock"] + (["//backends/soci", "@soci//:" + soci] if soci else []) + deps,
    )
    cc_library(
        name = name,
        hdrs = [facade],
        include_prefix = "dlock",
        strip_include_prefix = "/backends/" + name,
        visibility = ["//visibility:public"],
        deps = [":%s_parts" % name],
    )
    self_contained(
        name = "self_contained",
        hdrs = parts,
        include_prefix = "dlock/" + name,
        deps = [":" + name],
    )
    native.filegroup(
        name = "sources",
        srcs = native.glob(["**"]),
        visibility = ["//backends:__pkg__"],
    )
