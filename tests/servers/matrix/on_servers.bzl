# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""on_servers(): a test that is there already, once more on each other server. It is the same program; only the servers
that it starts are others."""

load(":servers.bzl", "SERVERS")

def _floats(server):
    return SERVERS[server][0] != "npm"

def _on_servers_impl(ctx):
    program = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = program, target_file = ctx.file._runner, is_executable = True)
    return [
        DefaultInfo(
            executable = program,
            runfiles = ctx.attr.binary[DefaultInfo].default_runfiles.merge(ctx.runfiles([ctx.executable.binary])),
        ),
        testing.TestEnvironment({
            "DLOCK_FLOATING": " ".join([server for server in ctx.attr.servers if _floats(server)]),
            "DLOCK_TEST_BINARY": ctx.executable.binary.short_path,
            "DLOCK_TEST_SERVERS": " ".join(ctx.attr.servers),
        }),
    ]

_on_servers_test = rule(
    implementation = _on_servers_impl,
    test = True,
    attrs = {
        "binary": attr.label(executable = True, cfg = "target", mandatory = True),
        "servers": attr.string_list(mandatory = True),
        "_runner": attr.label(allow_single_file = True, default = "//tests/servers/matrix:on_servers.sh"),
    },
)

def versions(kind):
    """All servers of a kind: versions("postgresql") is ["postgresql-13", ...]."""
    return [server for server in SERVERS if server.rpartition("-")[0] == kind]

def on_servers(binary, servers, tags, size = "medium", only = "*", beside = [], **kwargs):
    """For each server, a target that runs a test's program on it: postgresql_test_on_postgresql-18.

    Args:
      binary: the name of the cc_test, in the same package
      servers: names of servers.bzl
      tags: the test's own; "matrix" is added, which `bazel test` leaves out but for --config=matrix
      size: the test's own
      only: the cases to run, as GoogleTest filters them
      beside: other servers that the test starts too
      **kwargs: as of any test
    """
    for server in servers:
        _on_servers_test(
            name = "%s_on_%s" % (binary, "_".join([server] + beside)),
            size = size,
            args = [] if only == "*" else ["--gtest_filter=" + only],
            binary = ":" + binary,
            servers = [server] + beside,
            # What passes or is skipped today with a server that floats says nothing of tomorrow: "external" is never cached.
            tags = tags + ["matrix"] + (["external"] if [each for each in [server] + beside if _floats(each)] else []),
            **kwargs
        )
