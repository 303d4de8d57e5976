// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The way from a soci::session to the driver's own handle ("Native API access" in SOCI's documentation). For .cpp files.
#pragma once

#include <string>
#include <string_view>

#include <soci/soci.h>

#include <dlock/error.hpp>

namespace dlock::soci_support {

/// The driver's part of the session.
/// \param backend  the name SOCI gives the kind of server
/// \throws lock_error  lost: the session is not connected; unsupported: it is of another kind
template <class SociBackend>
[[nodiscard]] SociBackend& native(::soci::session& session, std::string_view backend) {
    auto* const native = session.get_backend();
    if (native == nullptr) throw lock_error{errc::lost, "dlock: the session is not connected"};
    if (const std::string is = native->get_backend_name(); is != backend) {
        throw lock_error{errc::unsupported,
                         "dlock: this lock needs a session of " + std::string{backend} + "; this one is of " + is};
    }
    return static_cast<SociBackend&>(*native);
}

}  // namespace dlock::soci_support
