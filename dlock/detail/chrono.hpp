// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Durations, time points and clocks. In C++20 <chrono> also is a calendar that streams, a quarter of what including a lock
// would cost; libstdc++ keeps the two apart, as it does for its own <mutex> and <thread>.
#pragma once

#include <dlock/detail/cxx20.hpp>

#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>
#else
#include <chrono>
#endif
