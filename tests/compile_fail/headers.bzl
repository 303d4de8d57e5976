# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""The headers of libraries as data: for tests that call a compiler themselves."""

def _headers_impl(ctx):
    headers, flags = [], {"-I.": True}
    for dep in ctx.attr.deps:
        context = dep[CcInfo].compilation_context
        headers += [h for h in context.headers.to_list() if h.owner.workspace_name in ctx.attr.workspaces]
        for folder in context.includes.to_list() + context.quote_includes.to_list():
            flags["-I" + _in_runfiles(ctx, folder)] = True
        for folder in context.system_includes.to_list():
            flags["-isystem " + _in_runfiles(ctx, folder)] = True
    response = ctx.actions.declare_file(ctx.label.name + ".flags")
    ctx.actions.write(response, "\n".join(flags.keys()) + "\n")
    return [DefaultInfo(files = depset([response] + headers), runfiles = ctx.runfiles([response] + headers))]

def _in_runfiles(ctx, folder):
    """Where a folder of the execution root is, seen from a test's working directory."""
    if folder.startswith(ctx.bin_dir.path):
        folder = "." + folder[len(ctx.bin_dir.path):]
    if folder.startswith("./external/"):
        folder = folder[len("./"):]
    return "../" + folder[len("external/"):] if folder.startswith("external/") else folder

headers = rule(
    doc = "Gives the headers of `deps`, and NAME.flags: a response file that lets a compiler find them from a test's working directory.",
    implementation = _headers_impl,
    attrs = {
        "deps": attr.label_list(providers = [CcInfo]),
        "workspaces": attr.string_list(doc = "whose headers: the names of external repositories, \"\" for this one"),
    },
)
