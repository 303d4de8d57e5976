// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// SQLite's functions, in the namespace in which SOCI declares them, and SOCI's backend. For .cpp files.
//
// SOCI 4.0 declares all of <sqlite3.h> there; SOCI 4.1 does so only for its own sources. dlock works on SOCI's connections, so both must
// be linked with the same SQLite: not with the one that SOCI 4.1 can have built in.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <cstdarg>

namespace sqlite_api {
#include <sqlite3.h>
}

#include <soci/sqlite3/soci-sqlite3.h>
