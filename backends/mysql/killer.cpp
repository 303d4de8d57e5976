// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/killer.hpp>

#include <new>

#include <dlock/mysql/result.hpp>
#include <dlock/mysql/sql.hpp>

namespace dlock::mysql {
namespace {

constexpr unsigned patience_s = 1;  // the least there is

template <class Value>
void copy_option(MYSQL* from, MYSQL* to, mysql_option option) noexcept {
    Value value{};
    if (mysql_get_optionv(from, option, &value) == 0 && value != Value{}) {
        if constexpr (std::is_pointer_v<Value>) {
            mysql_optionsv(to, option, value);
        } else {
            mysql_optionsv(to, option, &value);
        }
    }
}

void copy_options(MYSQL* from, MYSQL* to) noexcept {
    mysql_optionsv(to, MYSQL_OPT_CONNECT_TIMEOUT, &patience_s);
    mysql_optionsv(to, MYSQL_OPT_READ_TIMEOUT, &patience_s);
    mysql_optionsv(to, MYSQL_OPT_WRITE_TIMEOUT, &patience_s);
    for (const auto option :
         {MYSQL_OPT_SSL_KEY, MYSQL_OPT_SSL_CERT, MYSQL_OPT_SSL_CA, MYSQL_OPT_SSL_CAPATH, MYSQL_OPT_SSL_CIPHER,
          MYSQL_OPT_SSL_CRL, MYSQL_OPT_SSL_CRLPATH, MARIADB_OPT_TLS_PEER_FP, MARIADB_OPT_TLS_PASSPHRASE,
          MARIADB_OPT_TLS_VERSION, MYSQL_PLUGIN_DIR, MYSQL_DEFAULT_AUTH, MYSQL_OPT_BIND}) {
        copy_option<char*>(from, to, option);
    }
    copy_option<my_bool>(from, to, MYSQL_OPT_SSL_ENFORCE);
    copy_option<my_bool>(from, to, MYSQL_OPT_SSL_VERIFY_SERVER_CERT);
    copy_option<unsigned>(from, to, MYSQL_OPT_PROTOCOL);
}

std::string text_of(const char* text) { return text != nullptr ? text : ""; }

const char* unless_empty(const std::string& text) noexcept { return text.empty() ? nullptr : text.c_str(); }

/// The server cuts a long statement off when it tells what it executes.
bool is_of(std::string_view shown, std::string_view statement) noexcept {
    constexpr std::size_t shown_whole = 60'000;  // MariaDB shows 65,535 bytes
    return shown == statement || (shown.size() > shown_whole && statement.starts_with(shown));
}

bool send(MYSQL* handle, std::string_view sql) noexcept {
    return mysql_real_query(handle, sql.data(), sql.size()) == 0;
}

}  // namespace

killer::killer(MYSQL* first)
    : second_{mysql_init(nullptr)},
      host_{text_of(first->host)},
      user_{text_of(first->user)},
      password_{text_of(first->passwd)},
      socket_{text_of(first->unix_socket)},
      port_{first->port} {
    if (!second_) throw std::bad_alloc{};
    copy_options(first, second_.get());
    mysql_optionsv(second_.get(), MYSQL_INIT_COMMAND, sql::let_tables_be_read);
}

std::string killer::connect() {
    if (mysql_real_connect(second_.get(), unless_empty(host_), unless_empty(user_), unless_empty(password_), nullptr, port_, unless_empty(socket_), 0) !=
        nullptr) {
        return {};
    }
    return text_of(mysql_error(second_.get()));
}

std::string killer::kill_query(unsigned long id, std::string_view statement) const {
    if (!send(second_.get(), sql::statement_of(id).view())) return text_of(mysql_error(second_.get()));
    const result running{mysql_store_result(second_.get())};
    if (!running.has_row() || !is_of(running.text(0), statement) || send(second_.get(), sql::kill_query(id).view())) return {};
    return text_of(mysql_error(second_.get()));
}

}  // namespace dlock::mysql
