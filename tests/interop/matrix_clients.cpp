// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What only ./setup --matrix installs: PHP and Django take half a minute.
#include <dlock/keys/interop/crc32.hpp>
#include <dlock/mysql.hpp>
#include <dlock/postgresql.hpp>

#include "tests/interop/client.hpp"

namespace dlock::testing {
namespace {

std::vector<std::string> php(const std::string& script) { return {"/usr/bin/env", "php", "tests/interop/php/" + script}; }

}  // namespace

const std::vector<client>& clients() {
    static const std::vector<client> all{
        {"DjangoPglocks", "Python: django-pglocks", "python3-django-pglocks python3-psycopg2",
         python("with_django_pglocks.py"), on_postgresql, lock_of<basic_lock<postgresql::advisory, interop::django_pglocks>>},
        {"SymfonyLock", "PHP: Symfony Lock, PostgreSqlStore", "php-cli php-pgsql php-symfony-lock",
         php("symfony_lock.php"), on_postgresql, lock_of<basic_lock<postgresql::advisory, interop::symfony>>},
        {"PdoMysql", "PHP: `GET_LOCK` through PDO", "php-cli php-mysql",
         php("pdo_mysql.php"), on_mariadb, lock_of<mysql::lock>, false},
    };
    return all;
}

}  // namespace dlock::testing
