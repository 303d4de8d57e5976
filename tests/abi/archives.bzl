# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""The archives of libraries and of what they depend on in this workspace, as data."""

def _archives_impl(ctx):
    archives = []
    for dep in ctx.attr.deps:
        for linked in dep[CcInfo].linking_context.linker_inputs.to_list():
            if linked.owner.workspace_name == "":
                archives += [lib.pic_static_library or lib.static_library for lib in linked.libraries]
    return [DefaultInfo(files = depset(archives), runfiles = ctx.runfiles(archives))]

archives = rule(
    implementation = _archives_impl,
    attrs = {"deps": attr.label_list(providers = [CcInfo])},
)
