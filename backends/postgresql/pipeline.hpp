// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A connection in libpq's pipeline mode, for lock_manager: dlock/pipeline.hpp says what each member does.
// https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
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
#include <dlock/pipeline.hpp>
#include <dlock/postgresql/backend.hpp>

namespace dlock::postgresql {

class pipeline {
public:
    /// Bounds its silence (bound_silence()), and switches the server's time limits off that could end it or its statements.
    /// \throws lock_error  lost, unsupported. Round trips: four.
    explicit pipeline(std::shared_ptr<soci::session> session);
    ~pipeline();

    [[nodiscard]] std::function<void(const key&)> checker() const {
        return [](const key&) {};
    }
    [[nodiscard]] bool try_acquire(const key& k, mode m);
    [[nodiscard]] bool acquire_until(const key& k, mode m, deadline until, const std::stop_token& stop);
    [[nodiscard]] std::uint64_t release(const key& k, mode m) noexcept;
    [[nodiscard]] std::uint64_t answered() const noexcept;
    [[nodiscard]] bool idle() const noexcept;
    void collect() noexcept;
    [[nodiscard]] std::vector<holder> holders(const key& k);
    void set_grace(std::chrono::milliseconds grace) noexcept;
    [[nodiscard]] std::stop_token lost() const;
    void sever() noexcept;

private:
    class wire;
    struct parts;
    std::unique_ptr<parts> parts_;
};

struct pipelined_advisory : advisory {
    using pipeline_type = pipeline;
    /// As open_session().
    [[nodiscard]] static std::shared_ptr<soci::session> connect(const std::string& connection);
};

static_assert(pipelining_backend<pipelined_advisory>);

}  // namespace dlock::postgresql
