# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# Untried: see packaging/README.md.
set(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../..")

set(backends)
foreach(backend IN ITEMS sqlite postgresql mysql)
    if(backend IN_LIST FEATURES)
        list(APPEND backends ${backend})
    endif()
endforeach()

vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}" OPTIONS "-DDLOCK_BACKENDS=${backends}")
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/dlock)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
