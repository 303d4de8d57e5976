// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A server that is played by the test. Its session answers as it was told to, writes down what reached the server, and
// fails the test at every call that makes no sense: an unknown grant, a grant with another key or mode, a session that
// ends with a lock on it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/error.hpp>
#include <dlock/keys/integer_key.hpp>

namespace dlock::testing {

struct fake_grant {
    int serial = 0;
};

class fake_session {
public:
    using key_type = std::int64_t;

    // what the server answers
    bool busy = false;                                 ///< somebody else holds every key
    bool transaction_aborted = false;                  ///< no statement is taken
    std::optional<errc> failure;                       ///< of the next acquire
    std::set<key_type> refused_keys;                   ///< by check()
    std::function<void(fake_session&)> when_asked;     ///< called in front of every acquire

    // what it was asked
    std::vector<std::string> asked;
    std::optional<deadline> until;                     ///< of the last wait
    std::stop_token stop;                              ///< of the last wait

    fake_session() = default;
    fake_session(const fake_session&) = delete;
    fake_session& operator=(const fake_session&) = delete;
    ~fake_session() { EXPECT_FALSE(held_) << "the session ends with a lock on it"; }

    /// The session ends, and another one takes its place.
    void reconnect() {
        held_.reset();
        pending_ = transaction_aborted = false;
    }

    /// Any use of the session, after a transaction, first sends the release that the transaction held up.
    void use() {
        if (pending_ && !transaction_aborted) send_release();
    }

    [[nodiscard]] bool holds() const { return held_.has_value(); }
    [[nodiscard]] std::vector<std::string> take_asked() { return std::exchange(asked, {}); }

private:
    template <bool>
    friend struct fake_transaction_backend;
    template <bool>
    friend struct fake_backend;

    struct lock {
        key_type key;
        dlock::mode mode;
        friend bool operator==(const lock&, const lock&) = default;
    };

    static std::string name(mode m) { return m == mode::exclusive ? " exclusive" : " shared"; }

    std::optional<fake_grant> acquire(const std::string& how, key_type k, mode m) {
        if (when_asked) when_asked(*this);
        use();
        if (held_) throw lock_error{errc::already_owned, "fake: the session holds this key"};
        asked.push_back(how + name(m));
        if (failure) throw lock_error{*std::exchange(failure, std::nullopt), "fake: as it was told", "native"};
        if (busy) return std::nullopt;
        held_ = granted_.emplace(++last_serial_, lock{k, m}).first->first;
        return fake_grant{last_serial_};
    }

    bool is_held(key_type k, mode m, fake_grant g) const {
        const auto known = granted_.find(g.serial);
        if (known == granted_.end()) {
            ADD_FAILURE() << "no such grant: " << g.serial;
        } else {
            EXPECT_EQ(known->second, (lock{k, m})) << "the grant was of another key or mode";
        }
        return held_ == g.serial;
    }

    released release(fake_grant g) {
        if (transaction_aborted) {
            pending_ = true;
            return released::pending;
        }
        if (held_ != g.serial) return released_.contains(g.serial) ? released::yes : released::lost;
        send_release();
        return released::yes;
    }

    void send_release() {
        asked.push_back("release" + name(granted_.at(*held_).mode));
        released_[*held_] = true;
        held_.reset();
        pending_ = false;
    }

    std::map<int, lock> granted_;     ///< by serial, for ever
    std::map<int, bool> released_;    ///< rather than lost
    std::optional<int> held_;
    int last_serial_ = 0;
    bool pending_ = false;
};

/// Never releases: what basic_transaction_lock is made of.
template <bool HasShared>
struct fake_transaction_backend {
    using session_type = fake_session;
    using key_type = fake_session::key_type;
    using grant_type = fake_grant;
    static constexpr bool has_shared = HasShared;

    static void check(fake_session& s, key_type k) {
        if (s.refused_keys.contains(k)) throw lock_error{errc::bad_key, "fake: not this key"};
    }
    static std::optional<fake_grant> try_acquire(fake_session& s, key_type k, mode m) { return s.acquire("try", k, m); }
    static std::optional<fake_grant> acquire_until(fake_session& s, key_type k, mode m, deadline until, std::stop_token stop) {
        s.until = until;
        s.stop = std::move(stop);
        return s.acquire("wait", k, m);
    }
    static bool still_held(fake_session& s, key_type k, mode m, fake_grant g) noexcept { return s.is_held(k, m, g); }
    static std::vector<holder> holders(fake_session&, key_type k) { return {{"holder of", std::to_string(k)}}; }
};

template <bool HasShared>
struct fake_backend : fake_transaction_backend<HasShared> {
    static released release(fake_session& s, std::int64_t k, mode m, fake_grant g) noexcept {
        (void)s.is_held(k, m, g);
        return s.release(g);
    }
    static void sever(fake_session& s, fake_grant) noexcept {
        s.asked.emplace_back("sever");
        s.reconnect();
    }
};

using fake = fake_backend<true>;
using fake_without_shared = fake_backend<false>;
using fake_in_transaction = fake_transaction_backend<true>;

}  // namespace dlock::testing
