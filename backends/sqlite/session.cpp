// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/session.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <dlock/error.hpp>
#include <dlock/sqlite/access.hpp>
#include <dlock/sqlite/draft.hpp>
#include <dlock/sqlite/home.hpp>
#include <dlock/sqlite/lock_files.hpp>
#include <dlock/sqlite/vfs.hpp>

namespace dlock::sqlite {
namespace {

namespace fs = std::filesystem;

lock_error not_there(const fs::path& directory, const std::error_code& why) {
    return {errc::server_error, "dlock: no lock directory at " + directory.string() + ": " + why.message()};
}

/// SQLite opens nothing with a longer path, and says no more than that it cannot.
void require_short(const fs::path& directory) {
    const auto longest = directory.string().size() + 1 + key{}.file().size() + draft::longest_addition;
    if (longest > longest_path()) {
        throw lock_error{errc::unsupported, "dlock: the path of a lock directory is at most " +
                                            std::to_string(longest_path() - (longest - directory.string().size())) + " bytes long, as SQLite opens none that is longer, " +
                                            "and this one has " + std::to_string(directory.string().size()) + ": " + directory.string()};
    }
}

void require_readable_by_soci(const fs::path& directory) {
    if (directory.string().find('"') != std::string::npos) {
        throw lock_error{errc::unsupported, "dlock: the path of a lock directory must not contain '\"': " + directory.string()};
    }
}

/// That which is there, made by whomever. \param not_made  why this process has not made it, if it has not
fs::path found(const fs::path& directory, const std::error_code& not_made) {
    std::error_code failed;
    const auto canonical = fs::canonical(directory, failed);
    if (failed && not_made) failed = not_made;
    if (!failed && !fs::is_directory(canonical, failed) && !failed) failed = std::make_error_code(std::errc::not_a_directory);
    if (failed) throw not_there(directory, failed);
    return canonical;
}

fs::path made(const fs::path& directory) {
    require_readable_by_soci(directory);
    std::error_code not_made;
    const bool fresh = fs::create_directory(directory, not_made);
    const auto canonical = found(directory, not_made);
    try {
        require_short(canonical);
    } catch (...) {
        if (fresh) fs::remove(canonical, not_made);
        throw;
    }
    return canonical;
}

/// With the access of the database. The mode is set on what was made, and not on what is called so by then.
fs::path made(const home& beside) {
    const auto directory = beside.directory();
    require_readable_by_soci(directory);
    require_short(directory);
    std::error_code not_made;
    if (::mkdir(directory.c_str(), S_IRWXU) == 0) {
        struct stat database;
        const int fresh = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fresh >= 0 && ::stat(beside.path().c_str(), &database) == 0) give(fresh, database, directory_mode(database));
        if (fresh >= 0) ::close(fresh);
    } else {
        not_made.assign(errno, std::generic_category());
    }
    return found(directory, not_made);
}

}  // namespace

session::session(const fs::path& directory) : files_{std::make_unique<lock_files>(made(directory))} {}

session::session(const home& beside) : files_{std::make_unique<lock_files>(made(beside), beside)} {}

session::~session() {
    if (!files_->in_forked_child()) return;
    // In a forked child SQLite must not even close what the parent has open; it is kept, so that nobody calls it a leak.
    static auto& inherited = *new std::vector<std::unique_ptr<lock_files>>;
    inherited.push_back(std::move(files_));
}

const fs::path& session::directory() const noexcept { return files_->directory(); }

std::size_t session::held() const noexcept { return files_->held(); }

void session::set_label(std::string_view text) { files_->set_label(text); }

fs::path session::file(const key& k) const { return directory() / k.file(); }

fs::path directory_beside(soci::session& database) { return home{database}.directory(); }

std::shared_ptr<session> session_beside(soci::session& database) {
    using place = std::tuple<soci::session*, fs::path, dev_t, ino_t>;  // a soci::session can be opened again, on another file
    static std::mutex mutex;
    static auto& known = *new std::map<place, std::weak_ptr<session>>;

    const home beside{database};
    const std::lock_guard guard{mutex};
    std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
    auto& entry = known[{&database, beside.path(), beside.id().device, beside.id().inode}];
    auto existing = entry.lock();
    if (!existing) entry = existing = std::shared_ptr<session>{new session{beside}};
    return existing;
}

void set_label(soci::session& database, std::string_view text) {
    static std::mutex mutex;
    static auto& kept = *new std::map<fs::path, std::shared_ptr<session>>;  // a label goes with the last session

    const auto beside = session_beside(database);
    beside->set_label(text);
    const std::lock_guard guard{mutex};
    if (text.empty()) kept.erase(beside->directory());
    else kept.insert_or_assign(beside->directory(), beside);
}

}  // namespace dlock::sqlite
