// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Which lock belongs to which kind of server, for programs that learn it at run time.
//
// An entry is a type; a registry is a list of entries, a value without state:
//
//     struct firebird_entry {
//         static constexpr std::string_view backend = "firebird";
//         static dlock::any_lock make(soci::session& db, std::string_view name) { return dlock::any_lock::of<my_lock>(db, name); }
//     };
//     inline constexpr auto servers = dlock::default_registry.with<firebird_entry>();
//     dlock::any_lock lock = dlock::make_lock(db, "user/001", servers);
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <optional>
#include <string>
#include <string_view>

#include <boost/hana/for_each.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <dlock/any_lock.hpp>
#include <dlock/error.hpp>

namespace dlock {

/// | expression               | returns             | effect                                                        |
/// |--------------------------|---------------------|---------------------------------------------------------------|
/// | E::backend               | std::string_view    | the name that sessions of this kind of server give            |
/// | E::make(session, name)   | any_lock            | not locked yet; throws lock_error                             |
template <class E, class Session>
concept registry_entry_for = requires(Session& session, std::string_view name) {
    { E::backend } -> std::convertible_to<std::string_view>;
    { E::make(session, name) } -> std::same_as<any_lock>;
} || detail::unmet<"dlock: a registry entry must offer backend and make(session, name)">;

template <class... Entries>
class registry {
public:
    static constexpr auto entries = boost::hana::tuple_t<Entries...>;

    /// This registry and more; an entry for a backend that has one already comes second, so it is never asked.
    template <class... More>
    [[nodiscard]] constexpr registry<Entries..., More...> with() const noexcept {
        return {};
    }

    /// \throws lock_error  unsupported: no entry for this backend; and what the entry throws
    template <class Session>
    [[nodiscard]] any_lock make(std::string_view backend, Session& session, std::string_view name) const {
        static_assert((registry_entry_for<Entries, Session> && ...));
        std::optional<any_lock> made;
        boost::hana::for_each(entries, [&](auto entry) {
            using entry_type = typename decltype(entry)::type;
            if (!made && entry_type::backend == backend) made = entry_type::make(session, name);
        });
        if (made) return std::move(*made);
        std::string known;
        boost::hana::for_each(entries, [&](auto entry) { known.append(" ").append(decltype(entry)::type::backend); });
        throw lock_error{errc::unsupported, "dlock: no lock is registered for '" + std::string{backend} + "'; there are:" + known};
    }
};

}  // namespace dlock
