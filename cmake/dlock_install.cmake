# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# Libraries, find_package(dlock) and pkg-config's files. Headers are installed by dlock_library().
include(CMakePackageConfigHelpers)

set(dlock_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/dlock")
file(RELATIVE_PATH prefix_from_pc "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" prefix_from_pc "${prefix_from_pc}")

# The linker's and the compiler's flags for a library of the system, without what they know by themselves.
function(dlock_flags_of name linker_flags compiler_flags)
    set(link)
    set(compile)
    if(NOT name IN_LIST DLOCK_HEADER_ONLY)
        get_filename_component(folder "${DLOCK_${name}_LIBRARY}" DIRECTORY)
        get_filename_component(real_folder "${folder}" REALPATH)
        if(NOT folder IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES AND NOT real_folder IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
            set(link "-L${folder}")
        endif()
        list(APPEND link "-l${name}")
    endif()
    if(NOT DLOCK_${name}_INCLUDE_DIR IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
        set(compile "-I${DLOCK_${name}_INCLUDE_DIR}")
    endif()
    set(${linker_flags} ${link} PARENT_SCOPE)
    set(${compiler_flags} ${compile} PARENT_SCOPE)
endfunction()

# dlock-sqlite.pc for dlock::sqlite; dlock.pc for all.
function(dlock_install_pc name)
    set(module dlock-${name})
    if(name STREQUAL "dlock")
        set(module dlock)
    endif()
    set(requires)
    foreach(needed IN LISTS DLOCK_NEEDS_${name})
        list(APPEND requires "dlock-${needed} = ${PROJECT_VERSION}")
    endforeach()
    get_target_property(output dlock_${name} OUTPUT_NAME)
    get_target_property(type dlock_${name} TYPE)
    set(link "-l${output}")
    set(link_private)
    set(compile)
    foreach(used IN LISTS DLOCK_USES_${name})
        dlock_flags_of(${used} used_link used_compile)
        list(APPEND compile ${used_compile})
        # A program calls SOCI itself; the client below it only a static library has to name.
        if(used MATCHES "^soci_" OR NOT type STREQUAL "SHARED_LIBRARY")
            list(APPEND link ${used_link})
        else()
            list(APPEND link_private ${used_link})
        endif()
    endforeach()
    if(name STREQUAL "core" AND NOT type STREQUAL "SHARED_LIBRARY")
        list(APPEND link ${CMAKE_THREAD_LIBS_INIT})
    endif()
    list(JOIN requires ", " requires)
    list(JOIN link " " link)
    list(JOIN link_private " " link_private)
    list(JOIN compile " " compile)
    configure_file(cmake/dlock.pc.in ${module}.pc @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/${module}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT dlock_development)
endfunction()

get_property(components GLOBAL PROPERTY DLOCK_COMPONENTS)
foreach(name IN LISTS components)
    # Wherever they are installed, they find each other.
    set_target_properties(dlock_${name} PROPERTIES INSTALL_RPATH "$ORIGIN")
    # A set for each component: one for all would ask a program that uses SQLite for PostgreSQL's client.
    install(TARGETS dlock_${name}
        EXPORT dlock_${name}
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT dlock_runtime NAMELINK_COMPONENT dlock_development
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT dlock_development)
    install(EXPORT dlock_${name}
        FILE dlock_${name}.cmake
        NAMESPACE dlock::
        DESTINATION "${dlock_cmake_dir}"
        COMPONENT dlock_development)
    dlock_install_pc(${name})
endforeach()

configure_package_config_file(cmake/dlockConfig.cmake.in dlockConfig.cmake INSTALL_DESTINATION "${dlock_cmake_dir}"
    NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# As long as the version begins with 0, its second number is the one that grows when sources have to change.
write_basic_package_version_file(dlockConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/dlockConfig.cmake"
    "${PROJECT_BINARY_DIR}/dlockConfigVersion.cmake"
    cmake/dlock_dependencies.cmake
    DESTINATION "${dlock_cmake_dir}"
    COMPONENT dlock_development)
