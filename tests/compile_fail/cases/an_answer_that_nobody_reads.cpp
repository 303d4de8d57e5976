// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: ignoring return value
void use(dlock::postgresql::lock& lock) {
#ifdef FIXED
    if (!lock.try_lock()) return;
    lock.unlock();
#else
    lock.try_lock();
#endif
}
