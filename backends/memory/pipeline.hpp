// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a lock_manager needs of a session: dlock/pipeline.hpp says what each member does. Nothing is on its way here: a release
// is answered when it is sent.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <dlock/memory/backend.hpp>
#include <dlock/pipeline.hpp>

namespace dlock::memory {

class pipeline {
public:
    /// \throws lock_error  lost: the session is closed
    explicit pipeline(std::shared_ptr<session> of);

    [[nodiscard]] std::function<void(const key&)> checker() const {
        return [](const key&) {};
    }
    [[nodiscard]] bool try_acquire(const key& k, mode m);
    [[nodiscard]] bool acquire_until(const key& k, mode m, deadline until, const std::stop_token& stop);
    [[nodiscard]] std::uint64_t release(const key& k, mode m) noexcept;
    [[nodiscard]] std::uint64_t answered() const noexcept { return releases_; }
    [[nodiscard]] bool idle() const noexcept { return true; }
    void collect() noexcept {}
    [[nodiscard]] std::vector<holder> holders(const key& k) { return lock_table::holders(*session_, k); }
    [[nodiscard]] std::stop_token lost() const { return lost_; }
    void sever() noexcept { session_->close(); }

private:
    bool keep(const key& k, const std::optional<grant>& given);

    std::shared_ptr<session> session_;
    std::stop_token lost_;
    std::mutex mutex_;
    std::map<key, grant> held_;
    std::atomic<std::uint64_t> releases_ = 0;
};

struct pipelined_lock_table : lock_table {
    using pipeline_type = pipeline;
    /// A session of the server of this process. \param description  who that is, for holders()
    [[nodiscard]] static std::shared_ptr<session> connect(const std::string& description);
};

static_assert(pipelining_backend<pipelined_lock_table>);

}  // namespace dlock::memory
