// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/backend.hpp>

#include <cerrno>
#include <system_error>

#include <dlock/error.hpp>
#include <dlock/sqlite/file_id.hpp>
#include <dlock/sqlite/holders.hpp>
#include <dlock/sqlite/lock_files.hpp>

namespace dlock::sqlite {

std::optional<grant> lock_database::try_acquire(session& s, const key& k, mode m) {
    return s.files_->acquire(k, m, std::nullopt, {});
}

std::optional<grant> lock_database::acquire_until(session& s, const key& k, mode m, deadline until, const std::stop_token& stop) {
    return s.files_->acquire(k, m, until, stop);
}

std::optional<grant> fenced_lock_database::try_acquire(session& s, const key& k, mode m) {
    return numbered(s, k, m, lock_database::try_acquire(s, k, m), {});
}

std::optional<grant> fenced_lock_database::acquire_until(session& s, const key& k, mode m, deadline until, const std::stop_token& stop) {
    return numbered(s, k, m, lock_database::acquire_until(s, k, m, until, stop), stop);
}

std::optional<grant> fenced_lock_database::numbered(session& s, const key& k, mode m, std::optional<grant> taken,
                                                    const std::stop_token& stop) {
    if (!taken) return taken;
    try {
        taken->token = s.files_->draw(stop);
    } catch (...) {
        (void)release(s, k, m, *taken);
        throw;
    }
    return taken;
}

bool lock_database::still_held(session& s, const key& k, mode, const grant& g) noexcept { return s.files_->still_held(k, g); }

released lock_database::release(session& s, const key& k, mode, const grant& g) noexcept { return s.files_->release(k, g); }

void lock_database::sever(session& s, const grant& g) noexcept { s.files_->sever(g); }

std::vector<holder> lock_database::holders(session& s, const key& k) {
    const auto file = s.file(k).string();
    if (const auto id = identify(file.c_str())) return holders_of(*id, s.directory());
    if (errno == ENOENT) return {};  // nobody has ever locked it
    throw lock_error{errc::server_error, "dlock: cannot look at " + file + ": " + std::generic_category().message(errno)};
}

}  // namespace dlock::sqlite
