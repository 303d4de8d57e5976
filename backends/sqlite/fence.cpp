// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/fence.hpp>

#include <chrono>
#include <cstdint>

#include <dlock/error.hpp>
#include <dlock/sqlite/draft.hpp>
#include <dlock/sqlite/size_signal.hpp>
#include <dlock/sqlite/sql.hpp>
#include <dlock/sqlite/sqlite_api.hpp>
#include <dlock/sqlite/vfs.hpp>

namespace dlock::sqlite {
namespace {

using namespace sqlite_api;

constexpr std::chrono::seconds patience{10};  // a draw takes milliseconds; only a file that somebody keeps locked uses it up

/// Larger than all numbers of an earlier file: none of them can have been drawn in less than a microsecond.
std::int64_t first_number() {
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

fence::fence(const std::filesystem::path& file) : database_{open_or_make(file, fence_vfs(), [](const draft&) {})} {
    sqlite3_busy_handler(database_.native(), on_busy, this);
}

fencing_token fence::draw(const std::stop_token& stop) {
    const size_signal_blocked no_signal;
    wait_ = wait{deadline::after(patience), stop};
    naps_.restart();
    if (!draw_) {
        for (const char* const sql : sql::create_fence) check(run(database_.prepare(sql).get()));
        draw_ = database_.prepare(sql::draw);
    }
    sqlite3_bind_int64(draw_.get(), 1, first_number());
    std::int64_t number = 0;
    if (sqlite3_step(draw_.get()) == SQLITE_ROW) {
        number = sqlite3_column_int64(draw_.get(), 0);
        (void)sqlite3_step(draw_.get());  // commits
    }
    check(sqlite3_reset(draw_.get()));  // also when the commit has failed
    wait_.reset();
    if (number <= 0) {  // a trigger that somebody has put there keeps the counter from counting
        throw lock_error{errc::server_error, "dlock: " + database_.path() + " gave no fencing token; delete the triggers in it"};
    }
    return {static_cast<std::uint64_t>(number)};
}

void fence::check(int code) const {
    if (code != SQLITE_OK) throw database_.error(code, "draw a fencing token from");
}

/// https://www.sqlite.org/c3ref/busy_handler.html
int fence::on_busy(void* self, int) noexcept {
    auto& f = *static_cast<fence*>(self);
    if (!f.wait_ || f.wait_->until.expired() || f.wait_->stop.stop_requested()) return 0;
    f.naps_.sleep(f.wait_->until);
    return 1;
}

}  // namespace dlock::sqlite
