// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The locks that the worker can be told to use, backend × scope × wait policy.
//
// | member        |                                                                            |
// |---------------|----------------------------------------------------------------------------|
// | Kind::lock    | the lock's type                                                            |
// | Kind::session | what a worker opens: get() for the lock, id() as the server knows it       |
// | Kind::origin  | what it is opened from: a URL or a directory, or the process's manager     |
// | begin, end    | around a hold: of the transaction, if there is one. end(false) rolls back  |
// | releases      | whether unlock() exists; otherwise end() releases                          |
// | of_files      | whether locks are files, which can be taken away under a session           |
// | stops         | whether waits are asked to stop, too: a PgBouncer of 1.18 to 1.20 may end  |
// |               | when it hears of a cancel, https://github.com/pgbouncer/pgbouncer/pull/927 |
// | managed       | whether a process has a lock_manager, whose threads are workers; then also |
// | Kind::manager | its type; connect(url) makes a session for it, and id(session) knows it    |
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

#include <soci/mysql/soci-mysql.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include <dlock/mysql.hpp>
#include <dlock/mysql/lock_manager.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/lock_manager.hpp>
#include <dlock/sqlite.hpp>
#include <dlock/wait_policy.hpp>

namespace dlock::testing {

inline std::uint64_t postgresql_id(soci::session& db) {
    return static_cast<std::uint64_t>(PQbackendPID(static_cast<soci::postgresql_session_backend*>(db.get_backend())->conn_));
}

inline std::uint64_t mysql_id(soci::session& db) {
    return mysql_thread_id(static_cast<soci::mysql_session_backend*>(db.get_backend())->conn_);
}

class postgresql_session {
public:
    explicit postgresql_session(const std::string& url) : db_{url} {}
    [[nodiscard]] soci::session& get() noexcept { return db_; }
    [[nodiscard]] std::uint64_t id() {  // asked for: a pooler tells its clients another one
        int pid = 0;
        db_ << "SELECT pg_backend_pid()", soci::into(pid);
        return static_cast<std::uint64_t>(pid);
    }
    void begin() {}
    void end(bool) {}

protected:
    soci::session db_;
};

class postgresql_pooled_session : public postgresql_session {
public:
    explicit postgresql_pooled_session(const std::string& url) : postgresql_session{url} { postgresql::assume_session_pooling(db_); }
};

class postgresql_transaction_session : public postgresql_session {
public:
    using postgresql_session::postgresql_session;
    void begin() {
        told([&] { db_.begin(); });
    }
    void end(bool commit) {
        told([&] { commit ? db_.commit() : db_.rollback(); });
    }

private:
    /// The driver's own errors: an administrator's cancel that came late, or the end of the connection.
    template <class Call>
    void told(Call call) {
        try {
            try {
                call();
            } catch (const soci::postgresql_soci_error& error) {
                if (error.sqlstate() != "57014") throw;
                db_.rollback();
                throw lock_error{errc::cancelled, error.what()};
            }
        } catch (const soci::soci_error& error) {
            throw lock_error{errc::lost, error.what()};
        }
    }
};

class mysql_session {
public:
    explicit mysql_session(const std::string& url) : db_{url} { mysql::accept_one_lock_per_session(db_); }
    [[nodiscard]] soci::session& get() noexcept { return db_; }
    [[nodiscard]] std::uint64_t id() { return mysql_id(db_); }
    void begin() {}
    void end(bool) {}

private:
    soci::session db_;
};

class sqlite_session {
public:
    explicit sqlite_session(const std::string& directory) : db_{directory} {}
    [[nodiscard]] sqlite::session& get() noexcept { return db_; }
    [[nodiscard]] static std::uint64_t id() { return static_cast<std::uint64_t>(::getpid()); }
    void begin() {}
    void end(bool) {}

private:
    sqlite::session db_;
};

/// Waits in the server's queue.
template <class Session, class Lock, bool Shares, bool Releases = true, bool Stops = true>
struct blocking {
    using session = Session;
    using origin = const std::string&;
    using lock = Lock;
    static constexpr bool shares = Shares, releases = Releases, stops = Stops, managed = false;
    static constexpr bool of_files = std::is_same_v<Session, sqlite_session>;
    static auto make(session& on, const std::string& name) { return std::make_unique<lock>(on.get(), name); }
};

/// The same lock, which tries again and again.
template <class Kind>
struct polling : Kind {
    using lock = basic_lock<typename Kind::lock::backend_type, typename Kind::lock::key_policy_type, poll>;
    static auto make(typename Kind::session& on, const std::string& name) {
        return std::make_unique<lock>(on.get(), name, poll{std::chrono::milliseconds{1}});
    }
};

/// A thread of a process that has a lock_manager.
template <class Backend, class Lock, std::uint64_t (*Id)(soci::session&)>
struct managed_kind {
    using manager = lock_manager<Backend>;
    using origin = manager&;
    using lock = Lock;
    class session {
    public:
        explicit session(manager& of) noexcept : manager_{of} {}
        [[nodiscard]] manager& get() noexcept { return manager_; }
        void begin() {}
        void end(bool) {}

    private:
        manager& manager_;
    };
    static constexpr bool shares = Backend::has_shared, releases = true, stops = true, of_files = false, managed = true;
    static auto make(session& on, const std::string& name) { return std::make_unique<lock>(on.get(), name); }
    static auto connect(const std::string& url) { return Backend::connect(url); }
    static std::uint64_t id(soci::session& db) { return Id(db); }
};

using postgresql_kind = blocking<postgresql_session, postgresql::fenced_lock, true>;
using postgresql_transaction_kind = blocking<postgresql_transaction_session, postgresql::transaction_lock, true, false>;
using postgresql_pooled_kind = blocking<postgresql_pooled_session, postgresql::fenced_lock, true, true, false>;
using postgresql_pooled_transaction_kind = blocking<postgresql_transaction_session, postgresql::transaction_lock, true, false, false>;
using postgresql_managed_kind = managed_kind<postgresql::pipelined_advisory, postgresql::managed_lock, postgresql_id>;
using mysql_kind = blocking<mysql_session, mysql::fenced_lock, false>;
using mysql_managed_kind = managed_kind<mysql::pipelined_named, mysql::managed_lock, mysql_id>;
using sqlite_kind = blocking<sqlite_session, sqlite::fenced_lock, true>;

/// Calls `run.template operator()<Kind>()` for the kind of that name; false: there is none.
template <class Run>
bool with_kind(const std::string& name, Run run) {
    if (name == "postgresql") run.template operator()<postgresql_kind>();
    else if (name == "postgresql_poll") run.template operator()<polling<postgresql_kind>>();
    else if (name == "postgresql_pooled") run.template operator()<postgresql_pooled_kind>();
    else if (name == "postgresql_pooled_poll") run.template operator()<polling<postgresql_pooled_kind>>();
    else if (name == "postgresql_pooled_transaction") run.template operator()<postgresql_pooled_transaction_kind>();
    else if (name == "postgresql_transaction") run.template operator()<postgresql_transaction_kind>();
    else if (name == "postgresql_managed") run.template operator()<postgresql_managed_kind>();
    else if (name == "mysql") run.template operator()<mysql_kind>();
    else if (name == "mysql_poll") run.template operator()<polling<mysql_kind>>();
    else if (name == "mysql_managed") run.template operator()<mysql_managed_kind>();
    else if (name == "sqlite") run.template operator()<sqlite_kind>();
    else if (name == "sqlite_poll") run.template operator()<polling<sqlite_kind>>();
    else return false;
    return true;
}

}  // namespace dlock::testing
