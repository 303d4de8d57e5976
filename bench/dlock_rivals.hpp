// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// dlock's own contenders, the same for every backend.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <dlock/lock_manager.hpp>
#include <soci/soci.h>

#include "bench/contest.hpp"
#include "bench/many_keys.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {

inline const std::string the_name = "dlock benchmark";

inline std::string numbered(std::size_t i) { return "dlock benchmark " + std::to_string(i); }

/// One lock, or a multi_lock.
template <class Lock, class Session>
class dlock_rival final : public rival {
public:
    template <class Name>
    dlock_rival(how way, std::shared_ptr<Session> session, const Name& name, std::size_t others = 0)
        : way_{way}, session_{std::move(session)}, lock_{*session_, name} {
        if constexpr (requires(std::size_t i) { Lock{*session_, numbered(i)}; }) {
            for (std::size_t i = 0; i < others; ++i) others_.emplace_back(std::make_unique<Lock>(*session_, numbered(i)))->lock();
        }
    }

    void acquire() override {
        switch (way_) {
            case how::lock: return lock_.lock();
            case how::try_lock: return require(lock_.try_lock());
            case how::try_lock_for: return require(lock_.try_lock_for(std::chrono::hours{1}));
        }
    }

    void release() override { lock_.unlock(); }

private:
    static void require(bool granted) {
        if (!granted) throw std::runtime_error{"somebody else has the lock"};
    }

    how way_;
    std::shared_ptr<Session> session_;
    Lock lock_;
    std::vector<std::unique_ptr<Lock>> others_;
};

/// One after the other, what a multi_lock does at once.
template <class Lock, class Session>
class dlock_singles final : public rival {
public:
    dlock_singles(std::shared_ptr<Session> session, std::size_t names) : session_{std::move(session)} {
        for (std::size_t i = 0; i < names; ++i) locks_.push_back(std::make_unique<Lock>(*session_, numbered(i)));
    }

    void acquire() override {
        for (const auto& each : locks_) each->lock();
    }
    void release() override {
        for (const auto& each : locks_) each->unlock();
    }

private:
    std::shared_ptr<Session> session_;
    std::vector<std::unique_ptr<Lock>> locks_;
};

/// The half of a server's rivals that is dlock's.
/// \tparam Types  has the backend's lock, multi_lock, lock_manager and managed_lock, and end_holders(soci::session&)
template <class Types>
class dlock_rivals : public server_rivals {
    using lock = typename Types::lock;
    using manager = typename Types::lock_manager;
    using managed_lock = typename Types::managed_lock;

public:
    explicit dlock_rivals(std::string url) : url_{std::move(url)} {}

    [[nodiscard]] std::string url() const override { return url_; }

    [[nodiscard]] rival_maker on_a_session(how way, std::size_t others) const override {
        return [=, url = url_] {
            return std::make_unique<dlock_rival<lock, soci::session>>(way, std::make_shared<soci::session>(url), the_name, others);
        };
    }

    [[nodiscard]] rival_maker through_a_manager(how way, std::size_t connections, std::size_t others) const override {
        return [=, url = url_] { return managed(way, connect(url, connections), others); };
    }

    [[nodiscard]] rival_maker through_one_manager(how way) const override {
        return [way, url = url_, known = std::make_shared<std::weak_ptr<manager>>()] {
            auto shared = known->lock();
            if (!shared) *known = shared = connect(url, 1);
            return managed(way, shared, 0);
        };
    }

    [[nodiscard]] rival_maker multi_lock(how way, std::size_t names) const override {
        return [=, url = url_] {
            std::vector<std::string> all;
            for (std::size_t i = 0; i < names; ++i) all.push_back(numbered(i));
            return std::make_unique<dlock_rival<typename Types::multi_lock, soci::session>>(way, std::make_shared<soci::session>(url), all);
        };
    }

    [[nodiscard]] rival_maker single_locks(std::size_t names) const override {
        return [=, url = url_] {
            return std::make_unique<dlock_singles<lock, soci::session>>(std::make_shared<soci::session>(url), names);
        };
    }

    [[nodiscard]] competitor_maker many_keys(std::size_t keys, of_many what) const override {
        return [=, url = url_] { return std::make_unique<bench::many_keys<Types>>(url, keys, what); };
    }

private:
    static std::shared_ptr<manager> connect(const std::string& url, std::size_t connections) {
        return std::make_shared<manager>(url, lock_manager_options{.connections = connections});
    }
    static std::unique_ptr<rival> managed(how way, std::shared_ptr<manager> by, std::size_t others) {
        return std::make_unique<dlock_rival<managed_lock, manager>>(way, std::move(by), the_name, others);
    }

    std::string url_;
};

}  // namespace dlock::bench
