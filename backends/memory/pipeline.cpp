// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/memory/pipeline.hpp>

#include <dlock/error.hpp>

namespace dlock::memory {

pipeline::pipeline(std::shared_ptr<session> of) : session_{std::move(of)}, lost_{session_->lost()} {}

bool pipeline::try_acquire(const key& k, mode m) { return keep(k, lock_table::try_acquire(*session_, k, m)); }

bool pipeline::acquire_until(const key& k, mode m, deadline until, const std::stop_token& stop) {
    return keep(k, lock_table::acquire_until(*session_, k, m, until, stop));
}

bool pipeline::keep(const key& k, const std::optional<grant>& given) {
    if (!given) return false;
    const std::lock_guard guard{mutex_};
    held_.insert_or_assign(k, *given);
    return true;
}

std::uint64_t pipeline::release(const key& k, mode m) noexcept {
    const std::lock_guard guard{mutex_};
    const auto at = held_.find(k);
    if (at == held_.end()) return 0;
    const auto outcome = lock_table::release(*session_, k, m, at->second);
    held_.erase(at);
    return outcome == released::yes ? ++releases_ : 0;
}

std::shared_ptr<session> pipelined_lock_table::connect(const std::string& description) {
    return std::make_shared<session>(server::process_wide(), description);
}

}  // namespace dlock::memory
