# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""The repositories dlock needs, for a WORKSPACE. A name that is already declared is left alone: yours wins."""

load("//third_party:bootstrap.bzl", "bootstrap_repositories")
load("//third_party:system_library.bzl", "DEV_LIBRARIES", "LIBRARIES", "system_library")

def _declare(libraries):
    for name, spec in libraries.items():
        if not native.existing_rule(name):
            system_library(name = name, **spec)

def dlock_deps():
    """What a program that uses dlock needs. Nothing is looked for until a target asks for it."""
    bootstrap_repositories()
    _declare(LIBRARIES)

def dlock_dev_deps():
    """What dlock's own tests and benchmarks need besides."""
    _declare(DEV_LIBRARIES)
