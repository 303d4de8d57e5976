// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A lock that the server releases at the end of the transaction, and nobody before.
//
// It has no unlock(), so it is no Lockable: take it inside an open transaction and let commit or rollback end it. When the
// work and the lock belong to the same transaction, nobody sees the work before the lock is free, and it needs no session
// of its own: it works behind a pooler that lends a connection per transaction.
//
// Rolling back to a savepoint from before the grant releases it too; owns_lock() knows, and asks the server (one round
// trip) only when a rollback leaves it in doubt.
//
// Threads and ownership: as basic_lock.
#pragma once

#include <dlock/detail/acquirer.hpp>

namespace dlock {

template <transaction_backend Backend, key_policy_for<Backend> KeyPolicy, wait_policy_for<Backend> WaitPolicy = block>
class basic_transaction_lock : public detail::acquirer<Backend, KeyPolicy, WaitPolicy> {
    using base = detail::acquirer<Backend, KeyPolicy, WaitPolicy>;

public:
    /// Not locked yet. The acquiring members throw errc::unsupported unless a transaction is open.
    /// \pre `session` outlives this object.
    /// \throws lock_error  bad_key, as basic_lock
    template <class Name>
        requires accepts_name<KeyPolicy, const Name&>
    basic_transaction_lock(typename base::session_type& session, const Name& name, WaitPolicy wait = WaitPolicy{})
        : base{session, name, std::move(wait)} {}
};

}  // namespace dlock
