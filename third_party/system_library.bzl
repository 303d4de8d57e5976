# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""Repositories made of libraries that the system's package manager installed.

Only the headers named here are linked in, not all of /usr/include: that would be fourteen thousand files to
look at, and an -isystem /usr/include breaks the compiler's own #include_next. The library itself is linked by
name (-l), so one program never carries two copies of a client that SOCI is already linked with.
"""

def _find(ctx, prefixes, path):
    for prefix in prefixes:
        for include in ctx.attr.include_dirs:
            root = prefix + include
            if ctx.path(root + "/" + path).exists:
                return prefix, root
    return None, None

def _lib_dir(ctx, prefix, lib):
    machine = ctx.execute(["uname", "-m"]).stdout.strip()
    for directory in ["/lib/%s-linux-gnu" % machine, "/lib64", "/lib"]:
        for suffix in [".so", ".a"]:
            if ctx.path(prefix + directory + "/lib" + lib + suffix).exists:
                return prefix + directory
    return None

def _missing(ctx, what, prefixes, apt):
    packages = {apt: True}
    for spec in LIBRARIES.values():
        places = [prefix + folder for prefix in prefixes for folder in spec.get("include_dirs", ["/include"])]
        if not [place for place in places if ctx.path(place + "/" + spec["headers"][0]).exists]:
            packages[spec["apt"]] = True
    all = "" if len(packages) == 1 else "    With what else is missing, for all backends: apt-get install %s\n" % " ".join(packages.keys())
    fail("@%s: %s was not found below %s.\n    On Debian or Ubuntu: apt-get install %s\n%s" %
         (ctx.name, what, ", ".join(prefixes), apt, all))

def _system_library_impl(ctx):
    prefixes = [p for p in ctx.os.environ.get("DLOCK_PREFIX", "").split(":") if p] or ["/usr/local", "/usr"]

    prefix, root = _find(ctx, prefixes, ctx.attr.headers[0])
    if not prefix:
        _missing(ctx, "<%s>" % ctx.attr.headers[0], prefixes, ctx.attr.apt)
    for header in ctx.attr.headers:
        if not ctx.path(root + "/" + header).exists:
            _missing(ctx, "<%s>" % header, [root], ctx.attr.apt)
        ctx.symlink(root + "/" + header, "include/" + header)
    for header in ctx.attr.headers_of_some:
        if ctx.path(root + "/" + header).exists:
            ctx.symlink(root + "/" + header, "include/" + header)

    for header, apt in ctx.attr.also_needs.items():
        if not _find(ctx, prefixes, header)[0]:
            _missing(ctx, "<%s>" % header, prefixes, apt)

    search = {}
    for lib in ctx.attr.libs:
        directory = _lib_dir(ctx, prefix, lib)
        if not directory:
            _missing(ctx, "lib%s" % lib, [prefix], ctx.attr.apt)
        if prefix not in ["/usr", "/usr/local"]:  # where the linker and the loader look by themselves
            search["-L" + directory] = True
            search["-Wl,-rpath," + directory] = True

    ctx.file("link.bzl", "def link(lib):\n    return %r + [\"-l\" + lib]\n" % search.keys(), executable = False)
    ctx.symlink(ctx.attr.build_file, "BUILD.bazel")

system_library = repository_rule(
    implementation = _system_library_impl,
    doc = "Headers and libraries below the first of $DLOCK_PREFIX (a:b:c), else /usr/local and /usr, that has them.",
    attrs = {
        "apt": attr.string(mandatory = True, doc = "the package to name when something is missing"),
        "build_file": attr.label(mandatory = True, allow_single_file = True),
        "headers": attr.string_list(mandatory = True, doc = "files or folders; the first one is the probe"),
        "headers_of_some": attr.string_list(doc = "files that only some versions have"),
        "include_dirs": attr.string_list(default = ["/include"]),
        "libs": attr.string_list(doc = "libraries the build file links, without lib and .so"),
        "also_needs": attr.string_dict(doc = "header to package: what these headers include but their package forgets"),
    },
    local = True,
    configure = True,
    environ = ["DLOCK_PREFIX"],
)

# Label() and not a string: a string would be looked up in the workspace that calls dlock_deps().
LIBRARIES = {
    "boost.hana": dict(
        apt = "libboost-dev",
        build_file = Label("//third_party:boost.hana.BUILD"),
        headers = ["boost/hana.hpp", "boost/hana"],
    ),
    "libpq": dict(
        apt = "libpq-dev",
        build_file = Label("//third_party:libpq.BUILD"),
        headers = ["libpq-fe.h", "libpq-events.h", "libpq", "postgres_ext.h"],
        headers_of_some = ["pg_config_ext.h"],  # until 17
        include_dirs = ["/include/postgresql", "/include"],
        libs = ["pq"],
    ),
    "mariadb": dict(
        apt = "libmariadb-dev",
        build_file = Label("//third_party:mariadb.BUILD"),
        headers = [
            "mysql.h",
            "errmsg.h",
            "ma_list.h",
            "ma_pvio.h",
            "mariadb",
            "mariadb_com.h",
            "mariadb_ctype.h",
            "mariadb_stmt.h",
            "mariadb_version.h",
            "mysql",
            "mysqld_error.h",
        ],
        include_dirs = ["/include/mariadb"],
        libs = ["mariadb"],
    ),
    "soci": dict(
        apt = "libsoci-dev",
        build_file = Label("//third_party:soci.BUILD"),
        headers = ["soci"],
        libs = ["soci_core", "soci_mysql", "soci_postgresql", "soci_sqlite3"],
        also_needs = {"boost/fusion/adapted.hpp": "libboost-dev"},
    ),
    "sqlite3": dict(
        apt = "libsqlite3-dev",
        build_file = Label("//third_party:sqlite3.BUILD"),
        headers = ["sqlite3.h"],
        libs = ["sqlite3"],
    ),
}

DEV_LIBRARIES = {
    "google_benchmark": dict(
        apt = "libbenchmark-dev",
        build_file = Label("//third_party:google_benchmark.BUILD"),
        headers = ["benchmark/benchmark.h", "benchmark/export.h"],
        libs = ["benchmark", "benchmark_main"],
    ),
    "googletest": dict(
        apt = "libgtest-dev libgmock-dev",
        build_file = Label("//third_party:googletest.BUILD"),
        headers = ["gtest", "gmock"],
        libs = ["gtest", "gtest_main", "gmock"],
    ),
}
