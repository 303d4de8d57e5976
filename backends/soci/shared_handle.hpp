// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A std::shared_ptr in a public header without <memory>, which is an eighth of what including a lock costs.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <cstddef>

namespace dlock::soci_support {

/// Copies share what it points to. What works with that includes shared_handle_members.hpp; one file of its backend has
/// `template class shared_handle<T>;`, with the members that everybody else links.
template <class T>
class shared_handle {
public:
    template <class Shared>  // std::shared_ptr<T>
    shared_handle(Shared pointer) noexcept;
    shared_handle(const shared_handle& other) noexcept;
    shared_handle(shared_handle&& other) noexcept;
    shared_handle& operator=(const shared_handle& other) noexcept;
    shared_handle& operator=(shared_handle&& other) noexcept;
    ~shared_handle();

    [[nodiscard]] T& operator*() const noexcept;
    [[nodiscard]] T* operator->() const noexcept;

private:
    template <class Self>
    static auto& pointer(Self& self) noexcept;

    alignas(void*) std::byte pointer_[2 * sizeof(void*)];
};

}  // namespace dlock::soci_support
