// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: a namespace must not be empty
#ifdef FIXED
using key_policy = dlock::in_namespace<"billing", dlock::hashed_key>;
#else
using key_policy = dlock::in_namespace<"", dlock::hashed_key>;
#endif
key_policy made;
