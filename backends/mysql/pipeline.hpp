// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A connection on which statements are sent before the answers to earlier ones have been read, for lock_manager:
// dlock/pipeline.hpp says what each member does. The server reads them one after the other, and answers in that order.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/mysql/backend.hpp>
#include <dlock/pipeline.hpp>

namespace dlock::mysql {

class pipeline {
public:
    /// Bounds its silence (bound_silence()), and switches the server's time limits off that could end it or its statements.
    /// \throws lock_error  lost; unsupported, also for a server that keeps one lock per session. Round trips: three.
    explicit pipeline(std::shared_ptr<soci::session> session);
    ~pipeline();

    [[nodiscard]] std::function<void(const std::string&)> checker() const;
    [[nodiscard]] bool try_acquire(const std::string& k, mode m);
    [[nodiscard]] bool acquire_until(const std::string& k, mode m, deadline until, const std::stop_token& stop);
    [[nodiscard]] std::uint64_t release(const std::string& k, mode m) noexcept;
    [[nodiscard]] std::uint64_t answered() const noexcept;
    [[nodiscard]] bool idle() const noexcept;
    void collect() noexcept;
    [[nodiscard]] std::vector<holder> holders(const std::string& k);
    void set_grace(std::chrono::milliseconds grace);
    [[nodiscard]] std::stop_token lost() const;
    void sever() noexcept;

private:
    class wire;
    struct parts;
    std::unique_ptr<parts> parts_;
};

struct pipelined_named : named {
    using pipeline_type = pipeline;
    /// As open_session().
    [[nodiscard]] static std::shared_ptr<soci::session> connect(const std::string& connection);
};

static_assert(pipelining_backend<pipelined_named>);

}  // namespace dlock::mysql
