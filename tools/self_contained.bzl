# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""Compiles every header on its own, so that no header lives on what its neighbours happened to include before it."""

load("@rules_cc//cc:cc_library.bzl", "cc_library")

def self_contained(name, hdrs, include_prefix, deps):
    """A library, never linked, of one source per header that includes it, twice (for #pragma once).

    Args:
      name: of the library; built by `bazel build //...`
      hdrs: the headers, as paths in this package
      include_prefix: what stands before them in <>
      deps: the libraries they belong to
    """
    sources = ["%s/%s.cpp" % (name, header) for header in hdrs]
    twice = "printf '#include <%s/%s>\\n%%.0s' 1 2 > $(RULEDIR)/%s"
    native.genrule(
        name = name + "_sources",
        outs = sources,
        cmd = "\n".join([twice % (include_prefix, header, source) for header, source in zip(hdrs, sources)]),
    )
    cc_library(
        name = name,
        srcs = sources,
        linkstatic = True,
        deps = deps,
    )
