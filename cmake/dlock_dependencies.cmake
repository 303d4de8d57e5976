# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
#
# What dlock's components need. dlock's own build reads this file, and so does dlockConfig.cmake in the project that uses it.

# Other components.
set(DLOCK_NEEDS_core)
set(DLOCK_NEEDS_memory core)
set(DLOCK_NEEDS_soci core)
set(DLOCK_NEEDS_sqlite soci)
set(DLOCK_NEEDS_postgresql soci)
set(DLOCK_NEEDS_mysql soci)
set(DLOCK_NEEDS_dlock memory sqlite postgresql mysql)

# Libraries of the system: those whose headers a program that uses the component needs too, and those it does not.
set(DLOCK_USES_core boost)
set(DLOCK_USES_soci soci_core)
set(DLOCK_USES_sqlite soci_sqlite3 sqlite3)
set(DLOCK_USES_postgresql soci_postgresql pq)
set(DLOCK_USES_mysql soci_mysql mariadb)

# library: a header | a folder it may lie in | Debian's package. SOCI's headers include Boost.Fusion's, which Debian's package of SOCI
# does not ask for; the package that has Hana has it too.
set(DLOCK_LIBRARY_boost "boost/hana.hpp||libboost-dev")
set(DLOCK_LIBRARY_soci_core "soci/soci.h||libsoci-dev")
set(DLOCK_LIBRARY_soci_sqlite3 "soci/sqlite3/soci-sqlite3.h||libsoci-dev")
set(DLOCK_LIBRARY_soci_postgresql "soci/postgresql/soci-postgresql.h||libsoci-dev")
set(DLOCK_LIBRARY_soci_mysql "soci/mysql/soci-mysql.h||libsoci-dev")
set(DLOCK_LIBRARY_sqlite3 "sqlite3.h||libsqlite3-dev")
set(DLOCK_LIBRARY_pq "libpq-fe.h|postgresql|libpq-dev")
set(DLOCK_LIBRARY_mariadb "mysql.h|mariadb|libmariadb-dev")
set(DLOCK_HEADER_ONLY boost)

# Sets `result` to `components` and whatever they need, each after what it needs.
function(dlock_with_needs result)
    set(all)
    foreach(component IN LISTS ARGN)
        dlock_with_needs(needs ${DLOCK_NEEDS_${component}})
        list(APPEND all ${needs} ${component})
    endforeach()
    list(REMOVE_DUPLICATES all)
    set(${result} ${all} PARENT_SCOPE)
endfunction()

# Finds what the components use, where CMake looks (CMAKE_PREFIX_PATH, /usr/local, /usr), and makes dlock_system::NAME of each. All are
# found alike, by a header and a library: not every SOCI comes with files for CMake, Debian's has none. Sets `missing` to the whole list
# of what is not there, as a message, or to nothing.
function(dlock_find_dependencies missing)
    set(not_found)
    set(packages)
    dlock_with_needs(components ${ARGN})
    foreach(component IN LISTS components)
        foreach(name IN LISTS DLOCK_USES_${component})
            if(NOT DLOCK_LIBRARY_${name} MATCHES "^([^|]+)[|]([^|]*)[|]([^|]+)$")
                message(FATAL_ERROR "dlock: no library is called ${name}")
            endif()
            set(header "${CMAKE_MATCH_1}")
            set(package "${CMAKE_MATCH_3}")
            find_path(DLOCK_${name}_INCLUDE_DIR "${header}" PATH_SUFFIXES ${CMAKE_MATCH_2})
            mark_as_advanced(DLOCK_${name}_INCLUDE_DIR)
            set(lacks)
            if(NOT DLOCK_${name}_INCLUDE_DIR)
                set(lacks "<${header}>")
            endif()
            if(NOT name IN_LIST DLOCK_HEADER_ONLY)
                find_library(DLOCK_${name}_LIBRARY ${name})
                mark_as_advanced(DLOCK_${name}_LIBRARY)
                if(NOT DLOCK_${name}_LIBRARY)
                    list(APPEND lacks "lib${name}")
                endif()
            endif()
            if(lacks)
                list(JOIN lacks " and " lacks)
                string(APPEND not_found "\n    ${lacks}, for dlock::${component}")
                list(APPEND packages ${package})
            elseif(NOT TARGET dlock_system::${name})
                # Global: a target of dlock may be linked in a folder above the one that includes dlock.
                if(name IN_LIST DLOCK_HEADER_ONLY)
                    add_library(dlock_system::${name} INTERFACE IMPORTED GLOBAL)
                else()
                    add_library(dlock_system::${name} UNKNOWN IMPORTED GLOBAL)
                    set_target_properties(dlock_system::${name} PROPERTIES IMPORTED_LOCATION "${DLOCK_${name}_LIBRARY}")
                endif()
                target_include_directories(dlock_system::${name} INTERFACE "${DLOCK_${name}_INCLUDE_DIR}")
            endif()
        endforeach()
    endforeach()
    if(not_found)
        list(REMOVE_DUPLICATES packages)
        list(JOIN packages " " packages)
        set(not_found "dlock needs what was not found:${not_found}\n  On Debian or Ubuntu: apt-get install ${packages}"
            "\n  Elsewhere, or in a place of your own: -DCMAKE_PREFIX_PATH=\"/opt/a\;/opt/b\"")
        list(JOIN not_found "" not_found)
    endif()
    set(${missing} "${not_found}" PARENT_SCOPE)
endfunction()
