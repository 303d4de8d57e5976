// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A lock on a session of its own, from the URL of any server.
#pragma once

#include <string>

#include <soci/soci.h>

#include <dlock/make_lock.hpp>
#include <dlock/mysql.hpp>

namespace dlock::testing {

struct opened_lock {
    opened_lock(const std::string& url, const std::string& name) : session{url}, lock{make_lock(prepared(session), name)} {}

    soci::session session;
    any_lock lock;

private:
    static soci::session& prepared(soci::session& made) {
        if (made.get_backend_name() == "mysql") mysql::accept_one_lock_per_session(made);  // the genuine one is a 5.6
        return made;
    }
};

}  // namespace dlock::testing
