// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Each programme of the suite answers one question; it is a file that defines `the_question`, and question.cpp, which has main().
#pragma once

#include <vector>

#include "bench/command_line.hpp"
#include "bench/contest.hpp"
#include "bench/places.hpp"

namespace dlock::bench {

struct question {
    const char* name;  ///< of the programme
    const char* asks;  ///< "what taking and releasing a lock costs"
    processors use;
    std::vector<contest> (*contests)(const places& where);
};

extern const question the_question;

}  // namespace dlock::bench
