// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <dlock/soci/shared_handle.hpp>

namespace dlock::soci_support {

template <class T>
template <class Self>
auto& shared_handle<T>::pointer(Self& self) noexcept {
    using shared = std::shared_ptr<T>;
    static_assert(sizeof(shared) <= sizeof self.pointer_ && alignof(shared) <= alignof(void*));
    return *std::launder(reinterpret_cast<std::conditional_t<std::is_const_v<Self>, const shared, shared>*>(self.pointer_));
}

template <class T>
template <class Shared>
shared_handle<T>::shared_handle(Shared from) noexcept {
    ::new (pointer_) std::shared_ptr<T>{std::move(from)};
}

template <class T>
shared_handle<T>::shared_handle(const shared_handle& other) noexcept {
    ::new (pointer_) std::shared_ptr<T>{pointer(other)};
}

template <class T>
shared_handle<T>::shared_handle(shared_handle&& other) noexcept {
    ::new (pointer_) std::shared_ptr<T>{std::move(pointer(other))};
}

template <class T>
shared_handle<T>& shared_handle<T>::operator=(const shared_handle& other) noexcept {
    pointer(*this) = pointer(other);
    return *this;
}

template <class T>
shared_handle<T>& shared_handle<T>::operator=(shared_handle&& other) noexcept {
    pointer(*this) = std::move(pointer(other));
    return *this;
}

template <class T>
shared_handle<T>::~shared_handle() {
    std::destroy_at(&pointer(*this));
}

template <class T>
T& shared_handle<T>::operator*() const noexcept {
    return *pointer(*this);
}

template <class T>
T* shared_handle<T>::operator->() const noexcept {
    return pointer(*this).get();
}

}  // namespace dlock::soci_support
