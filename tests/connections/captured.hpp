// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What this process and its libraries print, whoever prints it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>

#include "tests/servers/child_process.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::testing {

/// Descriptors 1 and 2 lead to a file as long as this lives.
class captured {
public:
    captured() {
        flush();
        const int file = ::open(path().c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
        for (std::size_t i = 0; i < saved_.size(); ++i) {
            saved_[i] = ::fcntl(static_cast<int>(i) + 1, F_DUPFD_CLOEXEC, 3);
            ::dup2(file, static_cast<int>(i) + 1);
        }
        ::close(file);
    }
    ~captured() {
        flush();
        for (std::size_t i = 0; i < saved_.size(); ++i) {
            ::dup2(saved_[i], static_cast<int>(i) + 1);
            ::close(saved_[i]);
        }
    }
    captured(const captured&) = delete;
    captured& operator=(const captured&) = delete;

    [[nodiscard]] std::string text() const {
        flush();
        return contents(path());
    }

private:
    static void flush() {
        std::fflush(nullptr);
        std::cout.flush();
        std::cerr.flush();
    }
    [[nodiscard]] std::filesystem::path path() const { return scratch_.path() / "printed"; }

    temporary_directory scratch_;
    std::array<int, 2> saved_{};
};

}  // namespace dlock::testing
