// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The keys that somebody of a lock_manager holds, wants, or has just released. The lock_manager's mutex guards all of it.
//
// A key whose release has not been answered must be known: its next try is to go on the same connection, behind the release.
// And a few are kept after that, so that locking the same keys again allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/detail/local_queue.hpp>

namespace dlock::detail {

/// \tparam Handle  of a connection: a pointer to something with a member pipe
template <class Key, class Handle>
class managed_keys {
public:
    struct entry {
        enum class is : std::uint8_t {
            free,  ///< nobody holds it, nobody wants it
            busy,  ///< one thread is asking the server for it, or giving it back
            held,
        };

        is now = is::free;
        mode held_in = mode::exclusive;
        unsigned holders = 0;     ///< threads
        unsigned hand_overs = 0;  ///< since the server's grant
        std::uint64_t epoch = 0;  ///< of the server's grant; 0: not held
        deadline turn_ends = deadline::never();
        Handle on;                  ///< where it is held, or was released last: the next try goes there, behind the release
        std::uint64_t release = 0;  ///< the number of that release
        local_queue queue;

    private:
        friend managed_keys;

        const Key* key = nullptr;  ///< in the table
        entry* younger = nullptr;  ///< among those that are free
        entry* older = nullptr;
    };

    /// Stays where it is until it is free. One that was free counts as free no more: the caller says what it is.
    entry& find_or_make(const Key& k) {
        const auto [at, made] = table_.try_emplace(k);
        entry& e = at->second;
        if (made) e.key = &at->first;
        else if (e.now == entry::is::free) take_out(e);
        return e;
    }

    /// Null: nobody holds it, wants it, or has just released it.
    [[nodiscard]] entry* find(const Key& k) noexcept {
        const auto at = table_.find(k);
        return at != table_.end() ? &at->second : nullptr;
    }

    /// If it is held, by this of the server's grants; otherwise null.
    [[nodiscard]] entry* find_held(const Key& k, std::uint64_t epoch) noexcept {
        auto* const e = find(k);
        return e != nullptr && e->epoch == epoch && e->now == entry::is::held ? e : nullptr;
    }

    void set_free(entry& e) noexcept {
        e.now = entry::is::free;
        e.older = youngest_;
        (youngest_ != nullptr ? youngest_->younger : oldest_) = &e;
        youngest_ = &e;
        ++free_;
    }

    /// Drops those that are free and whose release has been answered, but for a few.
    void forget_answered() noexcept {
        constexpr std::size_t few = 64;
        while (free_ > few && (!oldest_->on || oldest_->on->pipe.answered() >= oldest_->release)) {
            entry& e = *oldest_;
            take_out(e);
            table_.erase(table_.find(*e.key));
        }
    }

    template <class Function>
    void for_each(Function what) {
        for (auto& [k, e] : table_) what(e);
    }

private:
    void take_out(entry& e) noexcept {
        (e.older != nullptr ? e.older->younger : oldest_) = e.younger;
        (e.younger != nullptr ? e.younger->older : youngest_) = e.older;
        e.older = e.younger = nullptr;
        --free_;
    }

    std::unordered_map<Key, entry> table_;
    entry* oldest_ = nullptr;  ///< of those that are free
    entry* youngest_ = nullptr;
    std::size_t free_ = 0;
};

}  // namespace dlock::detail
