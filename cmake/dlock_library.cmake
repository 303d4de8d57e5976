# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
find_package(Threads REQUIRED)

# Headers lie in the tree by layer, and are included by another name: backends/sqlite/key.hpp is <dlock/sqlite/key.hpp>. In this folder
# they have the names they are included by, as links to the files of the tree.
set(DLOCK_INCLUDE_DIR "${PROJECT_BINARY_DIR}/include")
file(REMOVE_RECURSE "${DLOCK_INCLUDE_DIR}")

# What stands after <dlock/ when a header of the folder is included.
function(dlock_header_name result folder header)
    file(RELATIVE_PATH name "${PROJECT_SOURCE_DIR}/${folder}" "${PROJECT_SOURCE_DIR}/${header}")
    get_filename_component(backend "${folder}" NAME)
    if(folder MATCHES "/" AND NOT name STREQUAL "${backend}.hpp")  # the backend's own face is <dlock/sqlite.hpp>
        string(PREPEND name "${backend}/")
    endif()
    set(${result} "${name}" PARENT_SCOPE)
endfunction()

# The library dlock::NAME, made of whatever lies in `folder`, as in its BUILD.bazel.
function(dlock_library name folder)
    set(glob GLOB_RECURSE)
    if(folder STREQUAL "backends")  # below it are the backends
        set(glob GLOB)
    endif()
    file(${glob} sources RELATIVE "${PROJECT_SOURCE_DIR}" CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*.cpp")
    file(${glob} headers RELATIVE "${PROJECT_SOURCE_DIR}" CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*.hpp")

    set(target dlock_${name})
    add_library(${target} ${sources})
    add_library(dlock::${name} ALIAS ${target})
    set_property(GLOBAL APPEND PROPERTY DLOCK_COMPONENTS ${name})

    target_compile_features(${target} PUBLIC cxx_std_20)
    target_include_directories(${target} PUBLIC
        "$<BUILD_INTERFACE:${DLOCK_INCLUDE_DIR}>"
        "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
    foreach(needed IN LISTS DLOCK_NEEDS_${name})
        target_link_libraries(${target} PUBLIC dlock::${needed})
    endforeach()
    foreach(used IN LISTS DLOCK_USES_${name})
        target_link_libraries(${target} PUBLIC dlock_system::${used})
    endforeach()
    if(name STREQUAL "core")
        target_link_libraries(${target} PUBLIC Threads::Threads)
    endif()

    set(output ${target})
    if(name STREQUAL "dlock")
        set(output dlock)
    endif()
    set_target_properties(${target} PROPERTIES
        EXPORT_NAME ${name}
        OUTPUT_NAME ${output}
        VERSION ${PROJECT_VERSION}
        SOVERSION ${DLOCK_ABI}
        CXX_EXTENSIONS OFF
        POSITION_INDEPENDENT_CODE ON
        # A library calls its own copy of an inline member function, not the one of a program compiled against another version.
        VISIBILITY_INLINES_HIDDEN ON)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "SHARED_LIBRARY")
        set(script "${PROJECT_SOURCE_DIR}/cmake/exported_symbols.map")
        target_link_options(${target} PRIVATE "LINKER:--version-script=${script}" LINKER:--no-undefined)
        set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${script}")
    endif()

    foreach(header IN LISTS headers)
        dlock_header_name(included_as "${folder}" "${header}")
        set(link "${DLOCK_INCLUDE_DIR}/dlock/${included_as}")
        get_filename_component(parent "${link}" DIRECTORY)
        file(MAKE_DIRECTORY "${parent}")
        file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${header}" "${link}" COPY_ON_ERROR SYMBOLIC)
        if(DLOCK_INSTALL)
            get_filename_component(parent "${CMAKE_INSTALL_INCLUDEDIR}/dlock/${included_as}" DIRECTORY)
            install(FILES "${header}" DESTINATION "${parent}" COMPONENT dlock_development)
        endif()
    endforeach()
endfunction()
