// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What several processes did to the same locks while somebody killed them and their server, and whether it may be so.
//
// The promise is: at most one *session* holds a lock exclusively, and none shared meanwhile. So a hold, as far as it can
// be judged, begins when the holder has been told, which is later than the grant, and ends at the earliest of
//   - the call of unlock(), which is earlier than the release;
//   - the moment before the holder's process was killed;
//   - the moment before its session was killed, or the whole server, or the files that are the locks of SQLite were taken
//     away, as the injector wrote it down. The holder cannot know yet, and still believes; the promise is about sessions.
// Hence every hold is a part of the true one, and two that overlap are a violation whatever the delays. Being stopped
// (SIGSTOP) or slow ends no hold. A grant that is told after its session was killed is empty: it excludes nobody. So is one
// that was asked for before the files were gone, which can be of the old ones.
//
// Being told of a loss ends no hold that was not over: a loss whose cause nobody has written down is a violation itself.
//
// A process with a lock_manager has several threads and several sessions, and which session a hold is on only the manager
// knows. Therefore the kill of any of its sessions ends all holds of all its threads. While it has a session that was killed
// and that it has not closed, its grants are empty; so are those that were asked for before that was closed, because a grant
// that was handed over before it can be told after it. One that was asked for later is on another session.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include <dlock/backend.hpp>

namespace dlock::testing {

enum class happening : std::uint8_t {
    // of a worker
    opened,          ///< it uses another session from now on, `session` to the server; `at` is before the connecting
    opened_another,  ///< its lock_manager uses this one, too; `token` is its number among those of the process
    closed,          ///< its lock_manager has done with the session of that number
    invoked,         ///< it is about to ask for the lock
    granted,         ///< it was told that it holds the lock, with `token`, or 0 without tokens
    refused,         ///< it was told that it does not
    releasing,       ///< it is about to call unlock()
    released,        ///< unlock() has returned
    lost,            ///< it was told that it has lost the lock, or its session
    failed,          ///< it was told of an error of the server that can only come from files that were taken away
    // of the injector
    kills_process,  ///< it is about to kill the worker
    kills_session,  ///< it is about to kill the server's side of `session`; written down only if there was one
    session_ended,  ///< that is done: a pooler may have given it to another client meanwhile
    stops_server,   ///< it is about to kill the server
    server_ended,   ///< the server is gone, and with it every session that was opened before
    takes_files,    ///< it is about to take away the files that are the locks
    files_taken,    ///< they are gone, and with them every grant that was asked for before; sessions go on with new ones
};

struct event {
    std::int64_t at = 0;  ///< of CLOCK_MONOTONIC, in ns: one clock for all processes
    std::uint64_t token = 0;
    std::uint64_t session = 0;
    std::uint32_t actor = 0;  ///< a thread: of one process, not of those that replace it
    std::uint16_t key = 0;
    happening what = happening::opened;
    mode how = mode::exclusive;
};

constexpr unsigned process_bits = 24;
[[nodiscard]] constexpr std::uint32_t process_of(std::uint32_t actor) { return actor & ((std::uint32_t{1} << process_bits) - 1); }
/// The first thread of a process is the number 0, and is the process where only one can be meant.
[[nodiscard]] constexpr std::uint32_t actor_of(std::uint32_t process, std::uint32_t thread) { return process | thread << process_bits; }

/// One hold, as far as it can be judged.
struct hold {
    std::uint32_t actor = 0;
    std::uint16_t key = 0;
    mode how = mode::exclusive;
    std::uint64_t token = 0;
    std::int64_t invoked = 0, told = 0;
    std::optional<std::int64_t> until = {};  ///< nothing: it never ended; not after `told`: it is empty
};

[[nodiscard]] bool empty(const hold& h);

enum class rule : std::uint8_t {
    one_holder,      ///< two held the lock at once, and not both shared
    token_rises,     ///< a token is not larger than that of an earlier holder
    grant_ends,      ///< a grant was never released, nor lost by a fault
    loss_has_cause,  ///< a loss was told, and no fault had ended the session
    well_formed,     ///< the history cannot be: the recorder is broken
};

struct violation {
    rule broken;
    std::string what;
};

struct verdict {
    std::vector<violation> violations = {};
    std::vector<hold> holds = {};
};

/// The events in any order.
[[nodiscard]] verdict check(std::vector<event> events);

/// Now, as event::at has it.
[[nodiscard]] std::int64_t now_ns();

/// A file of events that processes append to, each on its own, until they are killed. A record is written at once and as a
/// whole, so at most the last one of each process is missing. Any thread may write.
class recorder {
public:
    explicit recorder(const std::filesystem::path& file);
    ~recorder();
    recorder(const recorder&) = delete;
    recorder& operator=(const recorder&) = delete;

    void write(const event& e) const;

private:
    int file_;
};

[[nodiscard]] std::vector<event> recorded(const std::filesystem::path& file);

std::ostream& operator<<(std::ostream& out, const event& e);
void PrintTo(const violation& v, std::ostream* out);

}  // namespace dlock::testing
