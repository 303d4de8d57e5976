// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/verify_exclusion.hpp>

#include <mutex>
#include <random>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <dlock/error.hpp>

namespace dlock::detail {
namespace {

struct proofs {
    std::mutex mutex;
    std::set<std::pair<const void*, std::string>> known;

    static proofs& instance() {
        static auto* const only = new proofs;  // never destroyed: a static lock may be made after main()
        return *only;
    }
};

}  // namespace

std::int64_t random_number() {
    std::random_device source;
    return static_cast<std::int64_t>((std::uint64_t{source()} << 32) | source());
}

std::string random_name() {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string name = "dlock verify exclusion ";
    for (int half = 0; half < 2; ++half) {
        for (auto bits = static_cast<std::uint64_t>(random_number()); bits != 0; bits >>= 4) name += digits[bits & 0xf];
    }
    return name;
}

void require(exclusion seen) {
    std::string what = "dlock: the locks of this server exclude nobody: ";
    switch (seen) {
        case exclusion::proven: return;
        case exclusion::free_lock_refused: what += "one that nobody had was refused"; break;
        case exclusion::granted_twice:
            what += "two sessions got the same one at once, as with a stand-in or a pooler that gives all clients one session, or with "
                    "locks that are switched off";
            break;
        case exclusion::kept_after_release: what += "one that had been given back was refused to the next session"; break;
    }
    throw lock_error{errc::unsupported, what + ": connect to the server itself, and see whether its kind and version have such locks"};
}

void refuse_one_session() {
    throw lock_error{errc::unsupported, "dlock: what opens connections has given the same session twice: it must make a new one each time"};
}

void refuse_no_session() { throw std::invalid_argument{"dlock: what opens connections has given no session"}; }

bool is_proven(const void* kind, const std::string& connection) {
    auto& all = proofs::instance();
    const std::lock_guard guard{all.mutex};
    return all.known.contains({kind, connection});
}

void set_proven(const void* kind, const std::string& connection) {
    auto& all = proofs::instance();
    const std::lock_guard guard{all.mutex};
    all.known.emplace(kind, connection);
}

}  // namespace dlock::detail
