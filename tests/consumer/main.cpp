// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A program in a workspace of its own that uses dlock as anyone would.
#include <dlock/error.hpp>
#include <iostream>

int main() { std::cout << make_error_code(dlock::errc::lost).message() << '\n'; }
