# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# Packages for Debian: libdlock0 with the shared libraries, libdlock-dev with what compiling against them needs.
#
#   cmake -B build -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DCMAKE_INSTALL_PREFIX=/usr
#   cmake --build build && cd build && cpack -G DEB
if(NOT BUILD_SHARED_LIBS)
    return()
endif()

set(CPACK_PACKAGE_CONTACT "the dlock authors <dlock@example.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX "/usr")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_COMPONENTS_ALL dlock_runtime dlock_development)
set(CPACK_STRIP_FILES ON)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}")  # they need each other
# So that the packages of programs that are linked with them ask for this one.
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")

set(CPACK_DEBIAN_DLOCK_RUNTIME_PACKAGE_NAME "libdlock${DLOCK_ABI}")
set(CPACK_DEBIAN_DLOCK_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_DLOCK_RUNTIME_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_COMPONENT_DLOCK_RUNTIME_DESCRIPTION
    "Locks between processes and hosts, made of what the databases have: the shared libraries.")

set(CPACK_DEBIAN_DLOCK_DEVELOPMENT_PACKAGE_NAME "libdlock-dev")
set(CPACK_DEBIAN_DLOCK_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DLOCK_DEVELOPMENT_DESCRIPTION
    "For programs that are compiled with dlock: headers, links, and files for CMake and pkg-config.")

# The packages that dlockConfig.cmake would ask for.
set(dev_packages)
get_property(components GLOBAL PROPERTY DLOCK_COMPONENTS)
foreach(component IN LISTS components)
    foreach(used IN LISTS DLOCK_USES_${component})
        string(REGEX REPLACE "^.*[|]" "" package "${DLOCK_LIBRARY_${used}}")
        list(APPEND dev_packages ${package})
    endforeach()
endforeach()
list(REMOVE_DUPLICATES dev_packages)
list(JOIN dev_packages ", " dev_packages)
set(CPACK_DEBIAN_DLOCK_DEVELOPMENT_PACKAGE_DEPENDS
    "libdlock${DLOCK_ABI} (= ${PROJECT_VERSION}), ${dev_packages}")

install(FILES LICENSE DESTINATION "share/doc/libdlock${DLOCK_ABI}" COMPONENT dlock_runtime RENAME copyright)
install(FILES LICENSE DESTINATION share/doc/libdlock-dev COMPONENT dlock_development RENAME copyright)

include(CPack)
