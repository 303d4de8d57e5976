// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What the connection strings that dlock takes mean to libpq. For .cpp files.
#pragma once

#include <string>
#include <string_view>

#include <dlock/soci/connection_text.hpp>

namespace dlock::postgresql {

/// Of a URI (postgresql:// or postgres://, several hosts too), of SOCI's form (postgresql://dbname=app) and of libpq's own (dbname=app).
/// What it does not name comes from the environment, a service file and a password file, as ever with libpq; but for
/// connect_timeout, which is 10 s for each address where neither the string nor $PGCONNECT_TIMEOUT names another.
/// \throws lock_error  not_connected, permanent: malformed. Its text has no value of the string in it
[[nodiscard]] soci_support::connection_options connection_string(std::string_view text);

/// The same for libpq, in a form that SOCI hands on as it stands: a URI without a blank or a quote. SOCI 4.0 takes a list apart at blanks,
/// within libpq's quotes too.
[[nodiscard]] std::string uri_of(const soci_support::connection_options& options);

}  // namespace dlock::postgresql
