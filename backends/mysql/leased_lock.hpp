// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A lock that the server takes back from a holder that has stopped breathing: see basic_leased_lock.
#pragma once

#include <dlock/keys/verbatim_key.hpp>
#include <dlock/leased_lock.hpp>
#include <dlock/mysql/backend.hpp>

namespace dlock::mysql {

using leased_lock = basic_leased_lock<named, verbatim_key<64>>;
using leased_fenced_lock = basic_leased_lock<fenced_named, verbatim_key<64>>;

}  // namespace dlock::mysql
