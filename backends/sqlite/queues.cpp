// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/queues.hpp>

#include <atomic>
#include <map>
#include <new>

#include <dlock/sqlite/forks.hpp>

namespace dlock::sqlite {
namespace {

struct registry {
    registry(unsigned forks_of_it, registry* parents_one) : forks{forks_of_it}, parents{parents_one} {}

    unsigned forks;
    registry* parents;  ///< kept, so that nobody calls it a leak
    std::mutex mutex;
    std::map<std::filesystem::path, std::weak_ptr<queues>> known;
};

registry& of_this_process() {
    static constinit std::atomic<registry*> current = nullptr;
    auto* mine = current.load();
    while (mine == nullptr || mine->forks != forks()) {
        auto fresh = std::make_unique<registry>(forks(), mine);
        if (current.compare_exchange_strong(mine, fresh.get())) mine = fresh.release();
    }
    return *mine;
}

}  // namespace

/// File offsets have 63 bits.
off_t queues::byte(const digest& of) noexcept { return static_cast<off_t>(digest_hash{}(of) & 0x3fff'ffff'ffff'ffff); }

std::shared_ptr<queues> queues::of(const std::filesystem::path& directory) {
    auto& all = of_this_process();
    const std::lock_guard guard{all.mutex};
    std::erase_if(all.known, [](const auto& entry) { return entry.second.expired(); });
    auto& entry = all.known[directory];
    auto existing = entry.lock();
    if (!existing) entry = existing = std::make_shared<queues>(directory);
    return existing;
}

/// The end of a queue that nobody uses any more.
struct queues::remove {
    std::shared_ptr<queues> from;
    digest of;

    void operator()(queue* q) const noexcept {
        {
            const std::lock_guard guard{from->mutex_};
            const auto at = from->lines_.find(of);
            if (at != from->lines_.end() && at->second.expired()) from->lines_.erase(at);  // or there is another already
        }
        delete q;
    }
};

std::shared_ptr<queue> queues::line(const std::shared_ptr<queues>& in, const digest& of) {
    const std::shared_ptr<queue> fresh{new queue{in->marks_, byte(of)}, remove{in, of}};  // whose end needs the mutex
    const std::lock_guard guard{in->mutex_};
    auto& entry = in->lines_[of];
    if (auto existing = entry.lock()) return existing;
    entry = fresh;
    return fresh;
}

std::size_t queues::waiting(const digest& of) {
    std::shared_ptr<queue> found;  // whose end needs the mutex
    const std::lock_guard guard{mutex_};
    if (const auto at = lines_.find(of); at != lines_.end()) found = at->second.lock();
    return found ? found->waiting() : 0;
}

}  // namespace dlock::sqlite
