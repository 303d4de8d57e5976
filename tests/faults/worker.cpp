// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A process that locks at random and writes down what it is told, until a moment of CLOCK_MONOTONIC:
//
//     worker KIND WHERE RECORD ACTOR SEED KEYS UNTIL_NS [BUG]
//
// KIND is one of kinds.hpp, WHERE a URL or a directory. With a managed one, several threads do so on one lock_manager. It may
// be stopped and killed at any instant, and so may its server. Its exit status is 0 unless something happened that no fault
// explains; then it says what.
//
// BUG is one that the judge must find: claim (says that it holds what it was refused), late (says that it holds what it has
// given back), forget (leaves without giving back), old_token (says the token of its last grant again).
#include <sys/prctl.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "tests/faults/history.hpp"
#include "tests/faults/kinds.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

struct task {
    std::string where, record;
    std::uint32_t actor = 0;
    unsigned seed = 0;
    std::uint16_t keys = 1;
    std::int64_t until = 0;
    std::string bug;
};

template <class Kind>
class worker {
    using lock_type = typename Kind::lock;

public:
    /// \pre `from` outlives this object
    worker(task what, typename Kind::origin from) : task_{std::move(what)}, from_{from}, record_{task_.record}, dice_{task_.seed} {}

    void run() {
        while (now_ns() < task_.until) {
            if (session_) surviving(&worker::step);
            else open();
        }
    }

private:
    void open() {
        [[maybe_unused]] const auto asked = now_ns();
        try {
            session_.emplace(from_);
            if constexpr (!Kind::managed) {
                record_.write({.at = asked, .session = session_->id(), .actor = task_.actor, .what = happening::opened});
            }
            for (std::uint16_t key = 0; key < task_.keys; ++key) {
                locks_.push_back(Kind::make(*session_, "history/" + std::to_string(key)));
            }
        } catch (const std::exception&) {  // whatever the driver throws while there is no server
            close();
            std::this_thread::sleep_for(2ms);
        }
    }

    void close() {
        held_.clear();
        locks_.clear();
        session_.reset();
    }

    /// After a loss. What a lock_manager holds on its other sessions is to be given back; it opens new ones by itself.
    void start_anew() {
        if constexpr (Kind::managed) {
            for (; !held_.empty(); held_.pop_back()) {
                std::error_code told_already;
                note(happening::releasing, held_.back());
                locks_[held_.back()]->unlock(told_already);
                note(happening::released, held_.back());
            }
        } else {
            close();
        }
    }

    /// After an exception either the session is gone, or it is usable and holds what it held.
    void surviving(void (worker::*part)()) {
        try {
            (this->*part)();
        } catch (const lock_error& error) {
            if (error.reason() == errc::lost || error.reason() == errc::not_connected) {
                note(happening::lost, 0);
                start_anew();
            } else if (Kind::of_files && error.reason() == errc::server_error) {
                std::cerr << "worker " << task_.actor << ": " << error.what() << " (" << error.native() << ")\n";
                note(happening::failed, 0);
                surviving(&worker::finish);
                close();  // the next session makes the directory, if that is what is missing
            } else if (error.reason() == errc::cancelled || error.native() == "25P02") {
                finish_cancelled();
            } else {
                throw;
            }
        }
    }

    /// Inside a transaction a cancel can hit a statement of the lock's that cannot be sent again: the transaction is aborted
    /// (25P02), or, where not even that can be proven, the session is ended, which is a loss that nobody else has caused.
    void finish_cancelled() {
        try {
            finish();
        } catch (const lock_error& error) {
            if (error.reason() == errc::cancelled) return finish_cancelled();
            if (error.reason() != errc::lost && error.reason() != errc::not_connected) throw;
            if (Kind::releases) note(happening::lost, 0);
            close();
        }
    }

    void step() {
        const auto key = static_cast<std::uint16_t>(random(task_.keys));
        const auto how = Kind::shares && random(3) == 0 ? mode::shared : mode::exclusive;
        session_->begin();
        if (take(key, how, random(4))) {
            hold(key);
            const auto other = static_cast<std::uint16_t>((key + 1) % task_.keys);
            // Without waiting: not every server finds a deadlock.
            if (other != key && random(4) == 0 && take(other, mode::exclusive, 0)) hold(other);
        }
        finish();
    }

    bool take(std::uint16_t key, mode how, unsigned way) {
        auto& lock = *locks_[key];
        note(happening::invoked, key, how);
        bool got = ask(lock, how, way);
        if (!got && bug("claim")) got = true;
        if (!got) {
            note(happening::refused, key, how);
            return false;
        }
        auto token = token_of(lock);
        if (bug("old_token")) token = last_token_;
        last_token_ = token;
        note(happening::granted, key, how, token);
        held_.push_back(key);
        return true;
    }

    bool ask(lock_type& lock, mode how, unsigned way) {
        const auto wait = std::chrono::microseconds{random(8'000)};
        std::stop_source ended{std::nostopstate};
        std::jthread by_somebody_else;
        if (Kind::stops && way != 0 && random(6) == 0) {
            ended = std::stop_source{};
            by_somebody_else = std::jthread{[ended, after = std::chrono::microseconds{random(4'000)}]() mutable {
                std::this_thread::sleep_for(after);
                ended.request_stop();
            }};
        }
        const auto stop = ended.get_token();
        if constexpr (Kind::shares) {
            if (how == mode::shared) {
                if (way == 0) return lock.try_lock_shared();
                if (way == 1) return lock.lock_shared(stop), true;
                return lock.try_lock_shared_for(wait, stop);
            }
        }
        if (way == 0) return lock.try_lock();
        if (way == 1) return lock.lock(stop), true;
        return lock.try_lock_for(wait, stop);
    }

    std::uint64_t token_of(const lock_type& lock) {
        if constexpr (fencing_backend<typename lock_type::backend_type>) {
            if (task_.bug != "claim") return lock.token().value;
        }
        return 0;
    }

    /// For a while, looking around; now and then it is told, too.
    void hold(std::uint16_t key) {
        const auto& lock = *locks_[key];
        const auto until = now_ns() + std::int64_t{random(2'000)} * 1'000;
        const auto look_around = [&] {
            do {
                if (!lock.owns_lock() && task_.bug != "claim") throw lock_error{errc::lost, "told by owns_lock()"};
                std::this_thread::sleep_for(100us);
            } while (now_ns() < until);
        };
        if constexpr (loss_signalling_backend<typename lock_type::backend_type>) {
            if (random(3) == 0 && task_.bug != "claim") {
                const std::stop_callback told{lock.lost(), [&] { note(happening::lost, key); }};
                return look_around();
            }
        }
        look_around();
    }

    /// Gives back what is held, if anything.
    void finish() {
        while (Kind::releases && !held_.empty()) {
            const auto key = held_.back();
            held_.pop_back();
            give_back(key);
        }
        for (const auto key : held_) note(happening::releasing, key);
        held_.clear();
        session_->end(random(2) == 0);
    }

    void give_back(std::uint16_t key) {
        if (bug("forget")) std::_Exit(EXIT_SUCCESS);
        const bool late = bug("late");
        if (!late) note(happening::releasing, key);
        std::error_code ec;
        if constexpr (Kind::releases) locks_[key]->unlock(ec);
        if (late) {
            std::this_thread::sleep_for(20ms);
            note(happening::releasing, key);
        }
        if (ec == errc::lost) throw lock_error{errc::lost, "told by unlock()"};
        if (ec && task_.bug != "claim") throw std::runtime_error{"unlock: " + ec.message()};
        note(happening::released, key);
    }

    void note(happening what, std::uint16_t key, mode how = mode::exclusive, std::uint64_t token = 0) const {
        record_.write({.at = now_ns(), .token = token, .actor = task_.actor, .key = key, .what = what, .how = how});
    }

    [[nodiscard]] bool bug(const char* which) { return task_.bug == which && random(8) == 0; }
    unsigned random(unsigned below) { return std::uniform_int_distribution<unsigned>{0, below - 1}(dice_); }

    const task task_;
    typename Kind::origin from_;
    recorder record_;
    std::minstd_rand dice_;
    std::optional<typename Kind::session> session_;
    std::vector<std::unique_ptr<lock_type>> locks_;
    std::vector<std::uint16_t> held_;
    std::uint64_t last_token_ = 0;
};

/// A lock_manager whose threads are workers. It writes down which sessions the manager uses.
template <class Kind>
class managed_process {
    using manager = typename Kind::manager;

public:
    explicit managed_process(const task& what) : task_{what}, record_{task_.record} {}

    void run() {
        const auto locks = connected();
        std::vector<std::future<void>> threads;  // whose destructors wait
        for (std::uint32_t number = 0; locks && number < 3; ++number) {
            task part = task_;
            part.actor = actor_of(task_.actor, number);
            part.seed += number;
            threads.push_back(std::async(std::launch::async, [part, &locks] { worker<Kind>{part, *locks}.run(); }));
        }
        for (auto& each : threads) each.get();
    }

private:
    /// Few hand-overs and a short turn, so that the locks go to and fro between the processes. Null: there was no server.
    std::unique_ptr<manager> connected() {
        while (now_ns() < task_.until) {
            try {
                return std::make_unique<manager>([this] { return session(); },
                                                 lock_manager_options{.connections = 3, .hand_overs = 16, .turn = 2ms});
            } catch (const lock_error& error) {
                if (error.reason() != errc::lost && error.reason() != errc::not_connected) throw;
                std::this_thread::sleep_for(2ms);
            }
        }
        return nullptr;
    }

    std::shared_ptr<soci::session> session() {
        event e{.at = now_ns(), .token = ++sessions_, .actor = task_.actor, .what = happening::opened_another};
        auto db = Kind::connect(task_.where);
        e.session = Kind::id(*db);
        record_.write(e);
        e.what = happening::closed;
        auto* const raw = db.get();
        return {raw, [this, e, owner = std::move(db)](soci::session*) mutable {
                    e.at = now_ns();
                    record_.write(e);
                    owner.reset();
                }};
    }

    const task& task_;
    recorder record_;
    std::atomic<std::uint64_t> sessions_ = 0;
};

}  // namespace
}  // namespace dlock::testing

/// Read by LeakSanitizer. SOCI 4.0.3 forgets its PGconn when the first statement on it fails ("SET extra_float_digits", in
/// postgresql_session_backend::connect), as it does behind a PgBouncer whose server has just ended. Nobody else calls
/// PQconnectdb(), and a soci::session that is forgotten is still reported.
extern "C" const char* __lsan_default_suppressions() { return "leak:PQconnectdb\n"; }

int main(int argc, char** argv) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::vector<std::string> word{argv + 1, argv + argc};
    if (word.size() < 7) return EXIT_FAILURE;
    try {
        const dlock::testing::task what{.where = word[1],
                                        .record = word[2],
                                        .actor = static_cast<std::uint32_t>(std::stoul(word[3])),
                                        .seed = static_cast<unsigned>(std::stoul(word[4])),
                                        .keys = static_cast<std::uint16_t>(std::stoul(word[5])),
                                        .until = std::stoll(word[6]),
                                        .bug = word.size() > 7 ? word[7] : ""};
        const bool known = dlock::testing::with_kind(word[0], [&]<class Kind>() {
            if constexpr (Kind::managed) dlock::testing::managed_process<Kind>{what}.run();
            else dlock::testing::worker<Kind>{what, what.where}.run();
        });
        return known ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const std::exception& error) {
        std::cerr << "worker " << word[3] << " (" << word[0] << "): " << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
