# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""That the recipes in packaging/ can be read, and name the version and the backends of CMakeLists.txt. Conan and vcpkg are played by
stand-ins that write down what they are asked for: whether the real ones would do it is not tested."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

PORT = "packaging/vcpkg/dlock/"


def contents(path):
    with open(path) as file:
        return file.read()


def version():
    return ".".join(re.findall(r"^#define DLOCK_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", contents("dlock/version.hpp"), re.MULTILINE))


def backends():
    return re.search(r"set\(DLOCK_SQL_BACKENDS ([^)]*)\)", contents("CMakeLists.txt")).group(1).split()


def conan_recipe():
    modules = {name: types.ModuleType(name) for name in ("conan", "conan.tools", "conan.tools.cmake", "conan.tools.files")}
    modules["conan"].ConanFile = type("ConanFile", (), {})
    for name in ("CMake", "CMakeDeps", "CMakeToolchain", "cmake_layout"):
        setattr(modules["conan.tools.cmake"], name, mock.MagicMock())
    modules["conan.tools.files"].copy = mock.MagicMock()
    spec = importlib.util.spec_from_file_location("conanfile", "packaging/conan/conanfile.py")
    recipe = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, modules), mock.patch.object(sys, "dont_write_bytecode", True):
        spec.loader.exec_module(recipe)
    return recipe


class Recipes(unittest.TestCase):
    def test_conan_names_the_version_and_the_backends(self):
        recipe = conan_recipe()
        self.assertEqual(recipe.DlockConan.version, version())
        self.assertEqual(list(recipe.BACKENDS), backends())
        self.assertLessEqual(set(backends()), set(recipe.DlockConan.options))

    def test_conan_hands_on_the_backends(self):
        recipe = conan_recipe()
        conan = recipe.DlockConan()
        conan.options = mock.MagicMock()
        conan.options.get_safe = {"sqlite": True, "postgresql": True, "mysql": False}.get
        recipe.CMakeToolchain.return_value.variables = variables = {}
        conan.generate()
        self.assertEqual(variables, {"DLOCK_BACKENDS": "sqlite;postgresql"})
        conan.requires = mock.MagicMock()
        conan.requirements()
        required = [call.args[0].split("/")[0] for call in conan.requires.call_args_list]
        self.assertEqual(required, ["boost", "soci", "sqlite3", "libpq"])

    def test_vcpkg_names_the_version_and_the_backends(self):
        port = json.loads(contents(PORT + "vcpkg.json"))
        self.assertEqual(port["version"], version())
        self.assertEqual(set(port["features"]), set(backends()))

    def test_vcpkg_hands_on_the_backends(self):
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, "port.cmake")
            with open(script, "w") as file:
                file.write("cmake_minimum_required(VERSION 3.22)\n")
                for name in ("configure", "install", "config_fixup"):
                    file.write('function(vcpkg_cmake_%s)\nmessage("vcpkg_cmake_%s ${ARGN}")\nendfunction()\n' % (name, name))
                file.write("function(vcpkg_fixup_pkgconfig)\nendfunction()\nfunction(vcpkg_install_copyright)\nendfunction()\n")
                file.write('set(FEATURES core mysql sqlite)\nset(CURRENT_PACKAGES_DIR "%s")\n' % folder)
                file.write('include("%s")\n' % os.path.abspath(PORT + "portfile.cmake"))
            ran = subprocess.run(["cmake", "-P", script], stderr=subprocess.PIPE, text=True)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("OPTIONS;-DDLOCK_BACKENDS=sqlite;mysql", ran.stderr)


if __name__ == "__main__":
    unittest.main()
