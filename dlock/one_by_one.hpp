// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A backend that locks several keys of another backend, all or none: one after the other, in their order, until one deadline.
//
// For backends whose server cannot do that in one statement, or has no server. As an all-or-none lock it is complete, it only
// costs a round trip for each key:
//
//     using both = basic_lock<one_by_one<my_backend>, each<my_key_policy>>;
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/error.hpp>
#include <dlock/key_set.hpp>

namespace dlock {

template <backend Backend>
    requires ordered_key<typename Backend::key_type>
struct one_by_one {
    using session_type = typename Backend::session_type;
    using key_type = key_set<typename Backend::key_type>;
    static constexpr bool has_shared = Backend::has_shared;

    class grant_type {
    public:
        grant_type() = default;

    private:
        friend struct one_by_one;

        /// Requests stop when any of the keys is lost.
        struct alarm {
            struct ring {
                std::stop_source& of;
                void operator()() const noexcept { of.request_stop(); }
            };
            std::stop_source source;
            std::vector<std::unique_ptr<std::stop_callback<ring>>> bells;
        };

        // In the order of the keys; empty what has been given back. A release that the server cannot take now is tried again,
        // and must not be for what others may hold by then.
        mutable std::vector<std::optional<typename Backend::grant_type>> of_;
        mutable std::shared_ptr<alarm> alarm_;
    };

    static void check(session_type& session, const key_type& keys) {
        require_some(keys);
        for (const auto& key : keys) Backend::check(session, key);
    }

    [[nodiscard]] static std::optional<grant_type> try_acquire(session_type& session, const key_type& keys, mode m) {
        return all(session, keys, m, [&](const auto& key) { return Backend::try_acquire(session, key, m); });
    }

    [[nodiscard]] static std::optional<grant_type> acquire_until(session_type& session, const key_type& keys, mode m, deadline until,
                                                                 const std::stop_token& stop) {
        return all(session, keys, m, [&](const auto& key) { return Backend::acquire_until(session, key, m, until, stop); });
    }

    [[nodiscard]] static bool still_held(session_type& session, const key_type& keys, mode m, const grant_type& granted) noexcept {
        std::size_t i = 0;
        for (const auto& key : keys) {
            const auto& one = granted.of_[i++];
            if (!one || !Backend::still_held(session, key, m, *one)) return false;
        }
        return true;
    }

    /// Gives back what can be given back, whatever became of the rest.
    [[nodiscard]] static released release(session_type& session, const key_type& keys, mode m, const grant_type& granted) noexcept {
        granted.alarm_.reset();
        auto outcome = released::yes;
        for (std::size_t i = keys.size(); i-- > 0;) {
            auto& one = granted.of_[i];
            if (!one) continue;
            const auto became = Backend::release(session, keys.data()[i], m, *one);
            if (became != released::pending) one.reset();
            if (became == released::pending || outcome == released::yes) outcome = became;
        }
        return outcome;
    }

    static void sever(session_type& session, const grant_type& granted) noexcept {
        for (const auto& one : granted.of_) {
            if (one) return Backend::sever(session, *one);
        }
    }

    /// Of any of the keys, each session once.
    [[nodiscard]] static std::vector<holder> holders(session_type& session, const key_type& keys) {
        std::vector<holder> found;
        for (const auto& key : keys) {
            for (auto& one : Backend::holders(session, key)) {
                const auto is_it = [&](const holder& known) { return known.session == one.session; };
                if (std::ranges::none_of(found, is_it)) found.push_back(std::move(one));
            }
        }
        return found;
    }

    /// Of the loss of any of the keys.
    [[nodiscard]] static std::stop_token lost(session_type& session, const key_type& keys, mode m, const grant_type& granted)
        requires loss_signalling_backend<Backend>
    {
        if (!granted.alarm_) {
            const auto made = std::make_shared<typename grant_type::alarm>();
            using ring = typename grant_type::alarm::ring;
            std::size_t i = 0;
            for (const auto& key : keys) {
                if (const auto& one = granted.of_[i++]) {
                    made->bells.push_back(std::make_unique<std::stop_callback<ring>>(Backend::lost(session, key, m, *one), ring{made->source}));
                }
            }
            granted.alarm_ = made;
        }
        return granted.alarm_->source.get_token();
    }

private:
    static void require_some(const key_type& keys) {
        if (keys.empty()) throw lock_error{errc::bad_key, "dlock: a multi_lock needs a key at least: without one it would exclude nobody"};
    }

    template <class Acquire>
    static std::optional<grant_type> all(session_type& session, const key_type& keys, mode m, Acquire acquire) {
        require_some(keys);
        grant_type taken;
        taken.of_.resize(keys.size());
        try {
            std::size_t i = 0;
            for (const auto& key : keys) {
                if (!(taken.of_[i++] = acquire(key))) {
                    give_back(session, keys, m, taken);
                    return std::nullopt;
                }
            }
        } catch (...) {
            give_back(session, keys, m, taken);
            throw;
        }
        return taken;
    }

    /// Where a release has to wait, the end of the session does not.
    static void give_back(session_type& session, const key_type& keys, mode m, const grant_type& taken) noexcept {
        if (release(session, keys, m, taken) == released::pending) sever(session, taken);
    }
};

}  // namespace dlock
