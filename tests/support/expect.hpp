// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What tests of every backend say often.
#pragma once

#include <chrono>
#include <string>
#include <system_error>
#include <thread>

#include <gtest/gtest.h>

#include <dlock/error.hpp>

namespace dlock::testing {

/// The lock_error that `call` throws; the test fails when it throws none.
template <class Call>
lock_error error_of(Call call) {
    try {
        call();
    } catch (const lock_error& error) {
        return error;
    }
    ADD_FAILURE() << "no lock_error was thrown";
    return {errc::server_error, "none"};
}

template <class Call>
errc reason_of(Call call) {
    return error_of(call).reason();
}

template <class Lock>
std::error_code unlock(Lock& lock) {
    std::error_code ec;
    lock.unlock(ec);
    return ec;
}

/// Asks again and again until the answer is yes. Never a proof that something does not happen.
template <class Question>
void await(Question question, const char* what) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!question()) {
        ASSERT_LT(std::chrono::steady_clock::now(), give_up) << what;
        std::this_thread::sleep_for(std::chrono::microseconds{200});
    }
}

}  // namespace dlock::testing
