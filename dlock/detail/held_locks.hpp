// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The locks that one session holds, by key: for backends whose server does not say which ones.
//
// To find, add and remove one costs the same however many there are, and allocates nothing unless there are more than there
// have ever been. It is a hash table with open addressing, at most half full; a slot that becomes free keeps the memory of its
// key for the next one.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace dlock::detail {

/// \tparam Lock  has the members key and serial; 0 is the serial of none
/// \tparam Hash  of its key, in all bits of the result
template <class Lock, class Hash>
class held_locks {
public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// Null: there is none. What was found stays where it is until the next add() or remove().
    template <class Key>
    [[nodiscard]] Lock* find(const Key& key) noexcept {
        if (size_ == 0) return nullptr;
        for (auto i = home(key);; i = next(i)) {
            if (slots_[i].serial == 0) return nullptr;
            if (slots_[i].key == key) return &slots_[i];
        }
    }

    /// Makes room for so many more, so that add() cannot throw.
    void reserve(std::size_t more) {
        std::size_t wanted = smallest;
        while (wanted < 2 * (size_ + more)) wanted *= 2;
        if (wanted > slots_.size()) grow(wanted);
    }

    /// Takes `lock` and leaves an unused one in its place, which may have memory for a key.
    /// \pre there is room, none with this key, and its serial is not 0
    Lock& add(Lock& lock) noexcept {
        auto i = home(lock.key);
        while (slots_[i].serial != 0) i = next(i);
        std::swap(slots_[i], lock);
        ++size_;
        return slots_[i];
    }

    /// \pre `lock` was found here
    void remove(Lock& lock) noexcept {
        auto hole = static_cast<std::size_t>(&lock - slots_.data());
        lock.serial = 0;
        --size_;
        for (auto i = next(hole); slots_[i].serial != 0; i = next(i)) {  // what found its place taken moves up
            if (distance(home(slots_[i].key), i) < distance(hole, i)) continue;
            std::swap(slots_[hole], slots_[i]);
            hole = i;
        }
    }

    void clear() noexcept {
        if (size_ == 0) return;
        for (auto& slot : slots_) slot.serial = 0;
        size_ = 0;
    }

    /// In no order. `visit` may clear(), but neither add() nor remove().
    template <class Visit>
    void for_each(Visit visit) {
        for (auto& slot : slots_) {
            if (slot.serial != 0) visit(slot);
        }
    }

private:
    static constexpr std::size_t smallest = 8;

    template <class Key>
    [[nodiscard]] std::size_t home(const Key& key) const noexcept {
        return Hash{}(key) & (slots_.size() - 1);
    }
    [[nodiscard]] std::size_t next(std::size_t i) const noexcept { return (i + 1) & (slots_.size() - 1); }
    [[nodiscard]] std::size_t distance(std::size_t from, std::size_t to) const noexcept { return (to - from) & (slots_.size() - 1); }

    void grow(std::size_t slots) {
        std::vector<Lock> old(slots);
        slots_.swap(old);
        size_ = 0;
        for (auto& lock : old) {
            if (lock.serial != 0) add(lock);
        }
    }

    std::vector<Lock> slots_;  ///< as many as a power of two
    std::size_t size_ = 0;
};

}  // namespace dlock::detail
