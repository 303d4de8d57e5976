# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""Untried: see packaging/README.md."""

import os

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy

BACKENDS = ("sqlite", "postgresql", "mysql")
CLIENTS = {"sqlite": "sqlite3/[>=3.40]", "postgresql": "libpq/[>=15]", "mysql": "mariadb-connector-c/[>=3.3]"}
SOCI_OPTIONS = {"sqlite": "with_sqlite3", "postgresql": "with_postgresql", "mysql": "with_mysql"}


class DlockConan(ConanFile):
    name = "dlock"
    version = "0.1.0"
    description = "Distributed locks over PostgreSQL, MariaDB, MySQL and SQLite"
    license = "BSL-1.0"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], **{backend: [True, False] for backend in BACKENDS}}
    default_options = {"shared": False, "sqlite": True, "postgresql": False, "mysql": False}

    def _backends(self):
        return [backend for backend in BACKENDS if self.options.get_safe(backend)]

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "dlock/*", "backends/*"):
            copy(self, pattern, root, self.export_sources_folder)

    def configure(self):
        for backend in self._backends():
            setattr(self.options["soci"], SOCI_OPTIONS[backend], True)

    def requirements(self):
        self.requires("boost/[>=1.74]", transitive_headers=True)
        self.requires("soci/[>=4.0.3]", transitive_headers=True)
        for backend in self._backends():
            self.requires(CLIENTS[backend], transitive_headers=True)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.variables["DLOCK_BACKENDS"] = ";".join(self._backends())
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        # dlock's own files for CMake, not those that Conan would write.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs.append(os.path.join("lib", "cmake", "dlock"))
