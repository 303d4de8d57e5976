// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: in_namespace must be over a key policy for text or integer_key; a pair has no room for it
#ifdef FIXED
using key_policy = dlock::in_namespace<"billing", dlock::integer_key>;
#else
using key_policy = dlock::in_namespace<"billing", dlock::integer_pair_key>;
#endif
key_policy made;
