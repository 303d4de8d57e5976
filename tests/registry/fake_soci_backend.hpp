// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A SOCI backend that connects to nothing: a soci::session of a kind of server that dlock has never heard of.
#pragma once

#include <string>

#include <soci/soci-backend.h>
#include <soci/soci.h>

namespace dlock::testing {

class fake_soci_session : public soci::details::session_backend {
public:
    bool is_connected() override { return true; }
    void begin() override {}
    void commit() override {}
    void rollback() override {}
    std::string get_dummy_from_table() const override { return ""; }
    std::string get_backend_name() const override { return "toy"; }
    soci::details::statement_backend* make_statement_backend() override { return nullptr; }
    soci::details::rowid_backend* make_rowid_backend() override { return nullptr; }
    soci::details::blob_backend* make_blob_backend() override { return nullptr; }
};

struct fake_soci_backend : soci::backend_factory {
    soci::details::session_backend* make_session(const soci::connection_parameters&) const override { return new fake_soci_session; }
};

inline const fake_soci_backend toy;

}  // namespace dlock::testing
