// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/server_traits.hpp"

#include <cstdlib>
#include <ranges>
#include <span>
#include <stdexcept>

#include "tests/servers/find_program.hpp"

namespace dlock::testing::server_traits {
namespace {

constexpr postgresql postgresqls[] = {
    {.since = 13,
     .no_schema = "3F000",
     .cafe = "caf??",
     .unlogged_sequences = {"PostgreSQL has unlogged sequences since 15"},
     .looks_for_its_client = {"PostgreSQL has client_connection_check_interval since 14"},
     .leases = {"PostgreSQL has idle_session_timeout since 14"},
     .names_its_backups_since_15 = {"PostgreSQL calls it pg_start_backup() before 15"}},
    {.since = 14,
     .no_schema = "3F000",
     .cafe = "caf??",
     .unlogged_sequences = {"PostgreSQL has unlogged sequences since 15"},
     .looks_for_its_client = present,
     .leases = present,
     .names_its_backups_since_15 = {"PostgreSQL calls it pg_start_backup() before 15"}},
    {.since = 15,
     .no_schema = "3F000",
     .cafe = "caf??",
     .unlogged_sequences = present,
     .looks_for_its_client = present,
     .leases = present,
     .names_its_backups_since_15 = present},
    {.since = 16,
     .no_schema = "42P01",
     .cafe = R"(caf\xc3\xa9)",
     .unlogged_sequences = present,
     .looks_for_its_client = present,
     .leases = present,
     .names_its_backups_since_15 = present},
};

constexpr feature several{"this server keeps several locks per session, as MariaDB 10.0 and MySQL 5.7 do first"};
constexpr feature labels{"this server keeps labels"};

constexpr mysql mysqls[] = {
    {.is_mariadb = true,
     .since = 1011,
     .name = "MariaDB",
     .root = "root@localhost",
     .status = "information_schema",
     .killed_wait = "NULL",
     .empty_name = "NULL",
     .changed_row = "2",
     .one_lock_per_session = several,
     .keeps_no_labels = present},
    {.is_mariadb = true,
     .since = 1106,
     .name = "MariaDB",
     .root = "root@localhost",
     .status = "information_schema",
     .killed_wait = "NULL",
     .empty_name = "NULL",
     .changed_row = "ERROR 1020",
     .one_lock_per_session = several,
     .keeps_no_labels = present},
    {.is_mariadb = false,
     .since = 506,
     .name = "MySQL56",
     .root = "root@",  // it runs with --skip-grant-tables
     .status = "information_schema",
     .killed_wait = "NULL",
     .empty_name = "NULL",
     .changed_row = "2",
     .one_lock_per_session = present,
     .keeps_no_labels = present},
    {.is_mariadb = false,
     .since = 900,
     .name = "MySQL",
     .root = "root@localhost",
     .status = "performance_schema",
     .killed_wait = "ERROR 1317",
     .empty_name = "ERROR 3057",
     .changed_row = "2",
     .one_lock_per_session = several,
     .keeps_no_labels = labels},
};

/// The version that the machine's own server has, or 900 of "…/mysql-9": by the name of the server of the matrix.
int version(std::string_view kind, int of_the_machines_own, int minors) {
    const auto server = matrix_server(kind);
    if (!server) return of_the_machines_own;
    const auto name = server->filename().string();
    const auto number = name.substr(name.rfind('-') + 1);
    const auto point = number.find('.');
    return std::atoi(number.c_str()) * minors + (point == std::string::npos ? 0 : std::atoi(number.c_str() + point + 1));
}

template <class Row>
const Row& newest(std::span<const Row> table, auto holds) {
    for (const Row& row : table | std::views::reverse)
        if (holds(row)) return row;
    throw std::runtime_error{"tests/servers/server_traits.cpp has no row for this server"};
}

const mysql& of(bool is_mariadb, int version) {
    return newest<mysql>(mysqls, [&](const mysql& row) { return row.is_mariadb == is_mariadb && row.since <= version; });
}

}  // namespace

const postgresql& of_postgresql() {
    static const auto& row = newest<postgresql>(
        postgresqls, [version = version("postgresql", 15, 1)](const postgresql& r) { return r.since <= version; });
    return row;
}

const mysql& of_mariadb() {
    static const auto& row = of(true, version("mariadb", 1011, 100));
    return row;
}

const mysql& of_mysql() {
    static const auto& row = of(false, version("mysql", 506, 100));
    return row;
}

}  // namespace dlock::testing::server_traits
