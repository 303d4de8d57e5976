// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Something that may block for minutes, say a connection to ask a server for something: a thread of its own does it.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace dlock::soci_support {

class errand {
public:
    /// Says why it failed; empty: it did not.
    using work = std::function<std::string()>;

    /// Nothing that `what` refers to may need to live on: nobody waits for it for ever.
    /// \pre it does not run. Without a thread or memory for it, it has failed.
    void start(work what) noexcept;

    [[nodiscard]] bool runs() const noexcept;
    /// False: it still runs.
    bool wait(std::chrono::milliseconds longest) const noexcept;
    /// Of the last one that has ended; empty: none has failed, or there was no memory to tell.
    [[nodiscard]] std::string failure() const;

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace dlock::soci_support
