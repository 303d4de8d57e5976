// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/marks.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <dlock/soci/standard_descriptors.hpp>

namespace dlock::sqlite {
namespace {

struct flock one(off_t byte, short type) noexcept {
    struct flock what {};
    what.l_type = type;
    what.l_whence = SEEK_SET;
    what.l_start = byte;
    what.l_len = 1;
    return what;
}

}  // namespace

marks::~marks() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

/// The directory that has the name now: what is marked on another one nobody sees.
bool marks::open() noexcept {
    const auto found = identify(directory_.c_str());
    if (descriptor_ >= 0 && found == id_) return true;
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = found && soci_support::fill_standard_descriptors() ? ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    id_ = found;
    return descriptor_ >= 0;
}

void marks::set(off_t byte) noexcept {
    const std::lock_guard guard{mutex_};
    auto what = one(byte, F_RDLCK);
    if (open()) (void)::fcntl(descriptor_, F_SETLK, &what);
}

void marks::clear(off_t byte) noexcept {
    const std::lock_guard guard{mutex_};
    auto what = one(byte, F_UNLCK);
    if (descriptor_ >= 0) (void)::fcntl(descriptor_, F_SETLK, &what);
}

bool marks::set_elsewhere(off_t byte) noexcept {
    const std::lock_guard guard{mutex_};
    auto what = one(byte, F_WRLCK);  // which every mark would keep out, but those of this process
    return open() && ::fcntl(descriptor_, F_GETLK, &what) == 0 && what.l_type != F_UNLCK;
}

}  // namespace dlock::sqlite
