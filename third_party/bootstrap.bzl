# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""Stand-ins for the repositories that Bazel 4 downloads before it looks at any target.

Debian's Bazel (bazel-bootstrap 4.2.3) carries all the rules inside, but still loads them through @rules_cc and
@rules_java, and every test through @remote_coverage_tools. With these, a build needs no network. Debian's own
bazel-rules-cc cannot serve: its 0.0.4 asks for symbols that 4.2.3 does not have. @rules_shell is ours: newer Bazels
have no sh_test of their own.
"""

def _files_impl(ctx):
    for path, content in ctx.attr.files.items():
        ctx.file(path, content, executable = False)
    for label, path in ctx.attr.links.items():
        ctx.symlink(label, path)

_files = repository_rule(
    implementation = _files_impl,
    attrs = {
        "files": attr.string_dict(),
        "links": attr.label_keyed_string_dict(allow_files = True),
    },
)

def _native(rules):
    return "".join(["%s = native.%s\n" % (rule, rule) for rule in rules])

_CC = ["cc_binary", "cc_import", "cc_library", "cc_test"]
_CC_TOOLCHAIN = ["cc_proto_library", "cc_toolchain", "cc_toolchain_suite", "objc_library"]
_JAVA = ["java_binary", "java_import", "java_library", "java_proto_library", "java_runtime", "java_toolchain"]

_COVERAGE = """
[filegroup(
    name = name,
    srcs = ["coverage_merge.py"],
    visibility = ["//visibility:public"],
) for name in ["coverage_report_generator", "lcov_merger"]]
"""

def bootstrap_repositories():
    """Declares the stand-ins, unless the names are taken or this is an official Bazel, which has its own."""
    if native.bazel_version:  # Debian's build has no version
        return

    cc = {"cc/%s.bzl" % rule: _native([rule]) for rule in _CC}
    cc.update({"BUILD.bazel": "", "cc/BUILD.bazel": "", "cc/defs.bzl": _native(_CC + _CC_TOOLCHAIN)})
    shell = {"BUILD.bazel": "", "shell/BUILD.bazel": "", "shell/sh_test.bzl": _native(["sh_test"])}
    java = {"BUILD.bazel": "", "java/BUILD.bazel": "", "java/defs.bzl": _native(_JAVA)}

    if not native.existing_rule("rules_cc"):
        _files(name = "rules_cc", files = cc)
    if not native.existing_rule("rules_java"):
        _files(name = "rules_java", files = java)
    if not native.existing_rule("rules_shell"):
        _files(name = "rules_shell", files = shell)
    if not native.existing_rule("remote_coverage_tools"):
        _files(
            name = "remote_coverage_tools",
            files = {"BUILD.bazel": _COVERAGE},
            links = {Label("//third_party:coverage_merge.py"): "coverage_merge.py"},
        )
