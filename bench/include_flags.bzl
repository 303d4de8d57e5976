# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""What a compiler must be told to find the headers of libraries, for a program that calls one."""

def _at_run_time(ctx, path):
    """Where a path of the build lies in the runfiles, seen from their main folder."""
    if path.startswith(ctx.bin_dir.path + "/"):
        path = path[len(ctx.bin_dir.path) + 1:]
    elif path == ctx.bin_dir.path:
        path = "."
    return "../" + path[len("external/"):] if path.startswith("external/") else path

def _include_flags_impl(ctx):
    contexts = [dep[CcInfo].compilation_context for dep in ctx.attr.deps]
    flags = {"-I.": None}  # as in .bazelrc
    for context in contexts:
        for flag, folders in (("-I", context.includes), ("-isystem", context.system_includes)):
            for folder in folders.to_list():
                flags[flag + _at_run_time(ctx, folder)] = None
    out = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(out, "\n".join(flags.keys()) + "\n")
    headers = depset(transitive = [context.headers for context in contexts])
    return [DefaultInfo(
        files = depset([out]),
        runfiles = ctx.runfiles(files = [out], transitive_files = headers),
    )]

include_flags = rule(
    implementation = _include_flags_impl,
    doc = "A file of flags, one a line, and the headers themselves as runfiles.",
    attrs = {"deps": attr.label_list(providers = [CcInfo])},
)
