// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/faults/history.hpp"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace dlock::testing {
namespace {

constexpr std::array<std::string_view, 17> names{
    "opened", "opened_another", "closed", "invoked", "granted", "refused", "releasing", "released", "lost", "failed",
    "kills_process", "kills_session", "session_ended", "stops_server", "server_ended", "takes_files", "files_taken"};

std::string who(std::uint32_t actor) {
    const auto thread = actor >> process_bits;
    return "actor " + std::to_string(process_of(actor)) + (thread == 0 ? "" : "." + std::to_string(thread));
}

std::string text(const hold& h) {
    std::ostringstream out;
    out << who(h.actor) << ", key " << h.key << (h.how == mode::shared ? ", shared" : ", exclusive") << ", token "
        << h.token << ", asked " << h.invoked << ", told " << h.told << ", until ";
    if (h.until) out << *h.until;
    else out << "ever";
    return out.str();
}

bool conflict(const hold& a, const hold& b) { return a.how == mode::exclusive || b.how == mode::exclusive; }

/// Reads the events in the order of time, and makes holds of them.
class reader {
public:
    explicit reader(verdict& into) : out_{into} {}

    void read(const event& e) {
        auto& process = processes_[process_of(e.actor)];
        auto& thread = process.threads[e.actor];
        switch (e.what) {
            case happening::opened:
                process.sessions = {{0, {e.session, dying_.contains(e.session)}}};
                process.files_gone = false;
                thread.granted.clear();
                thread.excused = false;
                break;
            case happening::opened_another: open(process, e); break;
            case happening::closed: close(process, e); break;
            case happening::invoked:
                thread.invoked[e.key] = e.at;
                if (thread.granted.empty() && !process.has_dead_session()) thread.excused = false;
                break;
            case happening::granted: grant(process, thread, e); break;
            case happening::releasing:
                thread.granted.erase(e.key);
                if (const auto held = thread.held.find(e.key); held != thread.held.end()) {
                    end(held->second, e.at);
                    thread.held.erase(held);
                } else if (!may_have_lost(process, thread)) {
                    broken(rule::well_formed, "released what was not held: ", e);
                }
                break;
            case happening::lost:
                if (!may_have_lost(process, thread)) broken(rule::loss_has_cause, "nobody had ended the session: ", e);
                break;
            case happening::failed:
                if (!files_going_ && files_since_ == 0) broken(rule::loss_has_cause, "nobody had taken files away: ", e);
                break;
            case happening::kills_process:
                end_all(process, e.at);
                process.killed = true;
                break;
            case happening::kills_session:
                dying_.insert(e.session);
                for (auto& [id, each] : processes_) kill(each, e);
                break;
            case happening::session_ended: dying_.erase(e.session); break;
            case happening::stops_server:
                server_dying_ = true;
                for (auto& [id, each] : processes_) end_all(each, e.at);
                break;
            case happening::server_ended:  // also of the sessions that were opened since
                server_dying_ = false;
                for (auto& [id, each] : processes_) {
                    for (auto& [number, session] : each.sessions) session.dead = true;
                    each.was_without_server = each.has_manager;
                    excuse(each);
                }
                break;
            case happening::takes_files:
                files_going_ = true;
                for (auto& [id, each] : processes_) end_all(each, e.at);
                break;
            case happening::files_taken:
                files_going_ = false;
                files_since_ = e.at;
                for (auto& [id, each] : processes_) each.files_gone = true;
                break;
            case happening::refused:
            case happening::released: break;
        }
    }

private:
    struct session_state {
        std::uint64_t id = 0;
        bool dead = false;
    };

    struct thread_state {
        std::map<std::uint16_t, std::int64_t> invoked;
        std::map<std::uint16_t, std::size_t> held;  ///< which of the holds
        std::set<std::uint16_t> granted;            ///< and not given back, also when it is held no longer
        bool excused = false;                       ///< may be told of a loss, although what has ended may be closed by now
    };

    struct process_state {
        std::map<std::uint64_t, session_state> sessions;  ///< by number; a plain worker's only one has 0
        std::map<std::uint32_t, thread_state> threads;
        std::optional<std::int64_t> closed_dead;  ///< when it closed one that had been killed
        bool killed = false;
        bool files_gone = false;  ///< once or more since the session was opened
        bool has_manager = false;
        bool was_without_server = false;  ///< a lock_manager that could not connect believes so for a while

        [[nodiscard]] bool has_dead_session() const {
            return std::ranges::any_of(sessions, [](const auto& each) { return each.second.dead; });
        }
    };

    [[nodiscard]] bool dead(const process_state& process) const {
        return process.has_dead_session() || process.killed || server_dying_;
    }

    [[nodiscard]] bool may_have_lost(const process_state& process, const thread_state& thread) const {
        return dead(process) || process.was_without_server || thread.excused || files_going_ || process.files_gone;
    }

    static void excuse(process_state& process) {
        for (auto& [actor, thread] : process.threads) thread.excused = true;
    }

    void open(process_state& process, const event& e) {
        process.has_manager = true;
        if (!process.sessions.try_emplace(e.token, session_state{e.session, dying_.contains(e.session)}).second)
            broken(rule::well_formed, "opened twice: ", e);
    }

    void close(process_state& process, const event& e) {
        const auto session = process.sessions.find(e.token);
        if (session == process.sessions.end()) return broken(rule::well_formed, "closed what was not open: ", e);
        if (session->second.dead) {
            process.closed_dead = e.at;
            excuse(process);
        }
        process.sessions.erase(session);
    }

    void kill(process_state& process, const event& e) {
        for (auto& [number, session] : process.sessions) {
            if (session.id != e.session) continue;
            session.dead = true;
            end_all(process, e.at);
            excuse(process);
        }
    }

    /// Whether whatever session the lock was granted to is alive, and its file in place.
    [[nodiscard]] bool counts(const process_state& process, const hold& h) const {
        return !dead(process) && !files_going_ && h.invoked >= files_since_ &&
               (!process.closed_dead || h.invoked > *process.closed_dead);
    }

    void grant(process_state& process, thread_state& thread, const event& e) {
        const auto invoked = thread.invoked.find(e.key);
        if (invoked == thread.invoked.end()) broken(rule::well_formed, "granted without being asked: ", e);
        hold h{.actor = e.actor, .key = e.key, .how = e.how, .token = e.token,
               .invoked = invoked == thread.invoked.end() ? e.at : invoked->second, .told = e.at};
        thread.granted.insert(e.key);
        if (!counts(process, h)) {
            h.until = e.at;
        } else if (!thread.held.emplace(e.key, out_.holds.size()).second) {
            broken(rule::one_holder, "granted what it holds already: ", e);
        }
        out_.holds.push_back(h);
    }

    void end(std::size_t which, std::int64_t at) { out_.holds[which].until = at; }

    void end_all(process_state& process, std::int64_t at) {
        for (auto& [actor, thread] : process.threads) {
            for (const auto& [key, which] : thread.held) end(which, at);
            thread.held.clear();
        }
    }

    void broken(rule which, const char* what, const event& e) {
        std::ostringstream out;
        out << what << e;
        out_.violations.push_back({which, out.str()});
    }

    verdict& out_;
    std::map<std::uint32_t, process_state> processes_;
    std::set<std::uint64_t> dying_;  ///< sessions that are being killed
    bool server_dying_ = false;
    bool files_going_ = false;
    std::int64_t files_since_ = 0;  ///< since when there are new ones
};

/// Holds of one key that are not empty, in the order in which they were told.
void check_key(const std::vector<const hold*>& holds, std::vector<violation>& out) {
    std::vector<const hold*> open;  // those that one told later can overlap
    const hold* highest[] = {nullptr, nullptr};  // by mode
    for (const hold* const h : holds) {
        std::erase_if(open, [h](const hold* earlier) { return earlier->until && *earlier->until <= h->told; });
        for (const hold* const other : open) {
            if (conflict(*other, *h)) out.push_back({rule::one_holder, "held at once: " + text(*other) + "; " + text(*h)});
        }
        open.push_back(h);

        // Whoever holds in a conflicting mode later was granted later, whenever it asked.
        for (const mode m : {mode::exclusive, mode::shared}) {
            const hold* const before = highest[static_cast<int>(m)];
            if (before == nullptr || (m == mode::shared && h->how == mode::shared)) continue;
            if (h->token <= before->token && h->token != 0)
                out.push_back({rule::token_rises, "held later with no larger token: " + text(*before) + "; " + text(*h)});
        }
        auto& best = highest[static_cast<int>(h->how)];
        if (best == nullptr || h->token > best->token) best = h;
    }
}

/// Whoever asked after another one, of any key, was told: empty or not, the token was made in between.
void check_tokens(const std::vector<hold>& holds, std::vector<violation>& out) {
    std::vector<const hold*> told, asked;
    for (const auto& h : holds) {
        if (h.token != 0) told.push_back(&h);
    }
    asked = told;
    std::ranges::sort(told, {}, &hold::told);
    std::ranges::sort(asked, {}, &hold::invoked);
    const hold* highest = nullptr;
    auto next = told.begin();
    for (const hold* const h : asked) {
        for (; next != told.end() && (*next)->told < h->invoked; ++next) {
            if (highest == nullptr || (*next)->token > highest->token) highest = *next;
        }
        if (highest != nullptr && h->token <= highest->token)
            out.push_back({rule::token_rises, "asked later and got no larger token: " + text(*highest) + "; " + text(*h)});
    }
    std::ranges::sort(told, {}, &hold::token);
    for (std::size_t i = 1; i < told.size(); ++i) {
        if (told[i - 1]->token == told[i]->token)
            out.push_back({rule::token_rises, "the same token: " + text(*told[i - 1]) + "; " + text(*told[i])});
    }
}

}  // namespace

bool empty(const hold& h) { return h.until && *h.until <= h.told; }

verdict check(std::vector<event> events) {
    std::ranges::stable_sort(events, {}, &event::at);
    verdict result;
    reader reading{result};
    for (const auto& e : events) reading.read(e);

    std::map<std::uint16_t, std::vector<const hold*>> by_key;
    for (const auto& h : result.holds) {  // they are in the order in which they were told
        if (!h.until) result.violations.push_back({rule::grant_ends, "never released: " + text(h)});
        if (!empty(h)) by_key[h.key].push_back(&h);
    }
    for (const auto& [key, holds] : by_key) check_key(holds, result.violations);
    check_tokens(result.holds, result.violations);
    return result;
}

std::int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

recorder::recorder(const std::filesystem::path& file)
    : file_{::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)} {
    if (file_ == -1) throw std::system_error{errno, std::generic_category(), file.string()};
}

recorder::~recorder() { ::close(file_); }

void recorder::write(const event& e) const {
    static_assert(std::is_trivially_copyable_v<event> && std::has_unique_object_representations_v<event>);
    if (::write(file_, &e, sizeof e) != static_cast<ssize_t>(sizeof e)) {
        throw std::system_error{errno, std::generic_category(), "record"};
    }
}

std::vector<event> recorded(const std::filesystem::path& file) {
    std::vector<event> all;
    std::ifstream in{file, std::ios::binary};
    for (event e; in.read(reinterpret_cast<char*>(&e), sizeof e);) all.push_back(e);
    return all;
}

std::ostream& operator<<(std::ostream& out, const event& e) {
    return out << e.at << ' ' << who(e.actor) << " (session " << e.session << ") "
               << names.at(static_cast<std::size_t>(e.what)) << " key " << e.key
               << (e.how == mode::shared ? " shared" : " exclusive") << " token " << e.token;
}

void PrintTo(const violation& v, std::ostream* out) { *out << v.what; }

}  // namespace dlock::testing
