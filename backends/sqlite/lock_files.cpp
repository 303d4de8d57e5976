// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/lock_files.hpp>

#include <algorithm>
#include <exception>
#include <utility>

#include <dlock/error.hpp>

namespace dlock::sqlite {

lock_files::lock_files(std::filesystem::path directory, std::optional<home> beside)
    : directory_{std::move(directory)}, home_{std::move(beside)}, queues_{queues::of(directory_)}, forks_{forks()} {
    if (forked_while_engaged()) {
        throw lock_error{errc::unsupported, "dlock: this process was forked while its parent held a SQLite lock, or asked for one, and "
                                            "SQLite believes that the child has it; fork before anything is locked, or exec"};
    }
}

lock_files::~lock_files() {
    const engagement at_work;
    fence_.reset();
    idle_.clear();
    held_.clear();
}

bool lock_files::in_forked_child() const noexcept { return forks() != forks_; }

std::size_t lock_files::held() const noexcept {
    if (in_forked_child()) return 0;
    return static_cast<std::size_t>(std::ranges::count_if(held_, [](const connection& c) { return c.file.in_place(); }));
}

lock_files::connections::iterator lock_files::open(const key& k) {
    if (const auto known = by_key_.find(k.digest()); known != by_key_.end()) return known->second;
    while (idle_.size() >= most_idle) close(idle_.begin());
    connections fresh;  // until by_key_, whose memory may be refused, knows it
    const auto at = fresh.emplace(fresh.end(), directory_ / k.file(), k, home_ ? &*home_ : nullptr, queues::line(queues_, k.digest()));
    by_key_.emplace(at->of, at);
    idle_.splice(idle_.end(), fresh);
    return at;
}

void lock_files::close(connections::iterator at) noexcept {
    if (const auto known = by_key_.find(at->of); known != by_key_.end() && known->second == at) by_key_.erase(known);
    (at->serial == 0 ? idle_ : held_).erase(at);
}

std::optional<lock_files::connections::iterator> lock_files::find(const key& k, const grant& g) const noexcept {
    if (in_forked_child()) return std::nullopt;
    const auto known = by_key_.find(k.digest());
    if (known == by_key_.end() || known->second->serial != g.serial) return std::nullopt;
    return known->second;
}

/// One look, of who has not waited. It overtakes nobody: not those in line, nor a writer elsewhere that waits for the readers
/// of this process to leave, nor, if it may wait, another process whose turn it is.
bool lock_files::pass(connection& at, mode m, bool waits) {
    queue& line = *at.hold.of();
    if (line.waiting() != 0 || (m == mode::shared && line.reads() && at.file.writer_is_there())) return false;
    return !(waits && line.gives_way()) && at.file.try_acquire(m);
}

void lock_files::require_own_process() const {
    if (!in_forked_child()) return;
    throw lock_error{errc::lost, forked_while_engaged()
                                     ? "dlock: a forked child cannot use the SQLite session of its parent, nor make one of its own when "
                                       "the parent held a lock, or asked for one; fork before anything is locked, or exec"
                                     : "dlock: a forked child cannot use the SQLite session of its parent; make one after the fork"};
}

void lock_files::set_label(std::string_view text) {
    require_own_process();
    queues_->name().set(text);
}

std::optional<grant> lock_files::acquire(const key& k, mode m, std::optional<deadline> until,
                                         const std::stop_token& stop) {
    require_own_process();
    if (stop.stop_requested()) throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};

    engagement at_work;
    std::optional<queue::place> in_line;  // from the first look on that found it locked; kept when the file is replaced
    for (int replaced = 0; replaced < 100;) {
        if (home_) home_->require_in_place();
        const auto at = open(k);
        if (at->serial != 0) {
            if (at->file.in_place()) throw lock_error{errc::already_owned, "dlock: this session holds this lock already"};
            close(at);  // lost since, with its file
            continue;
        }
        bool granted = false;
        std::exception_ptr error;
        try {
            granted = in_line ? in_line->await_turn(*until, stop) && at->file.acquire(m, *in_line, *until, stop)
                              : pass(*at, m, until.has_value());
        } catch (...) {
            error = std::current_exception();
        }
        if (!at->file.in_place()) {  // a lock on a file without its name excludes nobody, and an error is no wonder
            close(at);
            ++replaced;
            continue;
        }
        if (error) {
            close(at);
            std::rethrow_exception(error);
        }
        if (granted) {
            at->serial = ++last_serial_;
            at->engaged.emplace(std::move(at_work));
            at->hold.begin(m);
            if (in_line) in_line->granted();
            held_.splice(held_.end(), idle_, at);
            return grant{at->serial};
        }
        const auto line = at->hold.of();
        if (!at->file.unlocked()) close(at);
        if (stop.stop_requested()) throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
        if (!until || until->expired()) return std::nullopt;
        if (in_line) in_line->nap(*until, stop);  // SQLite gave up without asking whether to wait
        else in_line.emplace(line);
    }
    throw lock_error{errc::server_error, "dlock: " + (directory_ / k.file()).string() + " is replaced again and again"};
}

bool lock_files::still_held(const key& k, const grant& g) const noexcept {
    const auto at = find(k, g);
    return at && (*at)->file.in_place();
}

released lock_files::release(const key& k, const grant& g) noexcept {
    const auto found = find(k, g);
    if (!found) return released::lost;
    const auto at = *found;
    const auto at_work = std::exchange(at->engaged, std::nullopt);  // until it is done
    at->file.release();
    const bool in_place = at->file.in_place();
    if (!in_place || !at->file.unlocked()) {
        close(at);
    } else {
        at->serial = 0;
        at->hold.end();
        idle_.splice(idle_.end(), held_, at);
        if (idle_.size() > most_idle) close(idle_.begin());
    }
    return in_place ? released::yes : released::lost;
}

void lock_files::sever(const grant& g) noexcept {
    if (in_forked_child()) return;
    for (const auto& held : held_) {
        if (held.serial != g.serial) continue;
        by_key_.clear();
        idle_.clear();
        held_.clear();
        return;
    }
}

fencing_token lock_files::draw(const std::stop_token& stop) {
    const auto file = directory_ / "fence.db";
    for (int replaced = 0; replaced < 100; ++replaced) {
        fencing_token drawn;
        std::exception_ptr error;
        try {
            // SQLite names a journal by its database's path: a draw from a file that has lost its name would write into, and
            // delete, the journal of the new one. https://www.sqlite.org/howtocorrupt.html#unlink
            if (fence_ && !fence_->in_place()) fence_.reset();
            if (!fence_) fence_.emplace(file);
            drawn = fence_->draw(stop);
        } catch (...) {
            error = std::current_exception();
        }
        const bool in_place = fence_ && fence_->in_place();
        if (!error && in_place) return drawn;
        const bool opened = fence_.has_value();
        fence_.reset();
        if (stop.stop_requested()) throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
        if (error && (in_place || !opened)) std::rethrow_exception(error);
        // the file was deleted or replaced: others draw from a new one, and an error of the old one is no wonder
    }
    throw lock_error{errc::server_error, "dlock: " + file.string() + " is replaced again and again"};
}

}  // namespace dlock::sqlite
