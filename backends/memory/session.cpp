// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/memory/session.hpp>

#include <utility>

#include <dlock/error.hpp>

namespace dlock::memory {

session::session(server& of, std::string description)
    : server_{of}, description_{std::move(description)}, id_{server_.open(description_)} {}

session::~session() { close(); }

void session::close() noexcept {
    std::uint64_t id = 0;
    std::shared_ptr<detail::loss_signal> losses;
    {
        const std::lock_guard guard{mutex_};
        id = id_.exchange(0);
        losses = std::move(losses_);
    }
    if (id != 0) server_.close(id);
    if (losses) losses->raise();  // without the mutex: a callback may come back here
}

void session::reconnect() {
    close();
    id_ = server_.open(description_);
}

void session::set_label(std::string_view text) {
    description_ = text;
    server_.describe(id_, description_);
}

std::stop_token session::lost() {
    if (!is_open()) throw lock_error{errc::lost, "dlock: the session is closed"};
    return lost({id_, {}});  // no grant has the token 0
}

std::stop_token session::lost(const grant& g) {
    const std::lock_guard guard{mutex_};
    if (id_ != g.session) return detail::loss_signal::raised();
    if (!losses_) losses_ = std::make_shared<detail::loss_signal>();
    return losses_->of(g.token.value);
}

void session::forget(const grant& g) noexcept {
    const std::lock_guard guard{mutex_};
    if (losses_) losses_->forget(g.token.value);
}

}  // namespace dlock::memory
