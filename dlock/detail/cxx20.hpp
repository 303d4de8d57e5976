// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Included before all else, so that a compiler in an older mode says this first, and not what it makes of the rest.
#pragma once

#if __cplusplus < 202002L
#error "dlock needs C++20: compile with -std=c++20 or newer"
#endif
