// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/session.hpp>

#include <map>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <dlock/error.hpp>
#include <dlock/soci/native.hpp>
#include <dlock/sqlite/lock_files.hpp>

namespace dlock::sqlite {
namespace {

namespace fs = std::filesystem;

fs::path made(const fs::path& directory) {
    if (directory.string().find('"') != std::string::npos) {
        throw lock_error{errc::unsupported, "dlock: the path of a lock directory must not contain '\"': " + directory.string()};
    }
    std::error_code not_made, failed;
    fs::create_directory(directory, not_made);
    const auto canonical = fs::canonical(directory, failed);  // of whatever is there now, made by whomever
    if (failed && not_made) failed = not_made;
    if (!failed && !fs::is_directory(canonical, failed) && !failed) failed = std::make_error_code(std::errc::not_a_directory);
    if (failed) {
        throw lock_error{errc::server_error, "dlock: no lock directory at " + directory.string() + ": " + failed.message()};
    }
    return canonical;
}

}  // namespace

session::session(const fs::path& directory) : files_{std::make_unique<lock_files>(made(directory))} {}

session::~session() {
    if (!files_->in_forked_child()) return;
    // In a forked child SQLite must not even close what the parent has open; it is kept, so that nobody calls it a leak.
    static auto& inherited = *new std::vector<std::unique_ptr<lock_files>>;
    inherited.push_back(std::move(files_));
}

const fs::path& session::directory() const noexcept { return files_->directory(); }

std::size_t session::held() const noexcept { return files_->held(); }

fs::path session::file(const key& k) const { return directory() / k.file(); }

fs::path directory_beside(soci::session& database) {
    const auto& native = soci_support::native<soci::sqlite3_session_backend>(database, "sqlite3");
    const char* const file = sqlite_api::sqlite3_db_filename(native.conn_, "main");
    if (file == nullptr || *file == '\0') {
        throw lock_error{errc::unsupported, "dlock: this SQLite database is in memory or temporary: nobody else can reach it, so there "
                                            "is nothing to lock; give dlock::sqlite::session a directory"};
    }
    return std::string{file} + "-locks";
}

std::shared_ptr<session> session_beside(soci::session& database) {
    static std::mutex mutex;
    static auto& known = *new std::map<std::pair<soci::session*, fs::path>, std::weak_ptr<session>>;

    const auto directory = directory_beside(database);
    const std::lock_guard guard{mutex};
    std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
    auto& entry = known[{&database, directory}];
    auto existing = entry.lock();
    if (!existing) entry = existing = std::make_shared<session>(directory);
    return existing;
}

}  // namespace dlock::sqlite
