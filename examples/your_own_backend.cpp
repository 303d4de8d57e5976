// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A backend of your own: the kernel's file locks, flock(2), as dlock sees a database. A program that uses dlock can
// then choose it at run time like the others.
//
// The table in <dlock/backend.hpp> says what each function has to do. Here a session is a folder, a key a file in it,
// and a grant the open file: the kernel frees its lock when the file is closed, hence when the process ends.
//
//     bazel run //examples:your_own_backend -- /tmp
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <dlock/keys/hashed_name.hpp>
#include <dlock/lock.hpp>
#include <dlock/registry.hpp>

struct lock_folder {
    std::filesystem::path path;
    std::set<std::string> held = {};  // a second lock for a key of the same session is already_owned
};

class open_file {
public:
    explicit open_file(const std::filesystem::path& path)
        : fd_{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)} {
        if (fd_ < 0)
            throw dlock::lock_error{dlock::errc::server_error, "flock: cannot open " + path.string(),
                                    std::to_string(errno)};
    }
    ~open_file() { ::close(fd_); }
    open_file(const open_file&) = delete;
    open_file& operator=(const open_file&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    int fd_;
};

struct flock_files {
    using session_type = lock_folder;
    using key_type = std::string;
    using grant_type = std::shared_ptr<open_file>;
    static constexpr bool has_shared = true;

    static void check(lock_folder&, const std::string&) noexcept {}  // hashed_name gives file names only

    static std::optional<grant_type> try_acquire(lock_folder& in, const std::string& key, dlock::mode m) {
        if (in.held.contains(key))
            throw dlock::lock_error{dlock::errc::already_owned, "flock: the folder has this lock already"};
        auto file = std::make_shared<open_file>(in.path / key);
        if (::flock(file->fd(), (m == dlock::mode::exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK || errno == EINTR) return std::nullopt;
            throw dlock::lock_error{dlock::errc::server_error, "flock: refused", std::to_string(errno)};
        }
        in.held.insert(key);
        return file;
    }

    // flock(2) waits without a limit or not at all, so a wait with a limit tries again and again.
    static std::optional<grant_type> acquire_until(lock_folder& in, const std::string& key, dlock::mode m,
                                                   dlock::deadline until, const std::stop_token& stop) {
        return dlock::poll{std::chrono::milliseconds{5}}.acquire_until<flock_files>(in, key, m, until, stop);
    }

    static bool still_held(lock_folder&, const std::string&, dlock::mode, const grant_type&) noexcept { return true; }

    static dlock::released release(lock_folder& in, const std::string& key, dlock::mode,
                                   const grant_type& file) noexcept {
        in.held.erase(key);
        return ::flock(file->fd(), LOCK_UN) == 0 ? dlock::released::yes : dlock::released::lost;
    }

    static void sever(lock_folder&, const grant_type&) noexcept {}  // nothing is ever pending

    // The kernel does not tell.
    static std::vector<dlock::holder> holders(lock_folder&, const std::string&) { return {}; }
};

// basic_lock asks for this itself, and the compiler says in one sentence what is missing.
static_assert(dlock::backend<flock_files> && dlock::shared_backend<flock_files>);

using flock_lock = dlock::basic_lock<flock_files, dlock::hashed_name>;

// To be chosen at run time a lock needs an entry in a registry. That of a server which SOCI speaks to takes a
// soci::session, and can join those that dlock has:
//     inline constexpr auto servers = dlock::default_registry.with<firebird_entry>();
//     dlock::any_lock lock = dlock::make_lock(db, "user/001", servers);
struct flock_entry {
    static constexpr std::string_view backend = "flock";
    static dlock::any_lock make(lock_folder& in, std::string_view name) {
        return dlock::any_lock::of<flock_lock>(in, name);
    }
};

inline constexpr dlock::registry<flock_entry> file_locks;

int main(int argc, char** argv) try {
    const std::filesystem::path folder = argc > 1 ? argv[1] : ".";
    lock_folder here{folder}, elsewhere{folder};

    flock_lock lock{here, "user/001"};
    dlock::any_lock other = file_locks.make("flock", elsewhere, "user/001");
    {
        const std::scoped_lock held{lock};
        std::cout << "while it is held, another session's try says " << std::boolalpha << other.try_lock() << '\n';
    }
    const std::unique_lock held{other, std::try_to_lock};
    std::cout << "after that, " << held.owns_lock() << '\n';
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
