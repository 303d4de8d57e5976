// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: a registry entry must offer backend and make(session, name)
struct entry {
    static constexpr std::string_view backend = "toy";
#ifdef FIXED
    static dlock::any_lock make(session&, std::string_view);
#endif
};
void use() { (void)dlock::registry<entry>{}.make("toy", db, "user/001"); }
