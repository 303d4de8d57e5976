# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""LIBRARIES for MODULE.bazel. A file of its own, because Bazel 4 does not know module_extension."""

load("//third_party:system_library.bzl", "LIBRARIES", "system_library")

def _system_libraries_impl(_ctx):
    for name, spec in LIBRARIES.items():
        system_library(name = name, **spec)

system_libraries = module_extension(implementation = _system_libraries_impl)
