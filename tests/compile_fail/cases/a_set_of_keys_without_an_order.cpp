// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: a key that is locked together with others must have operator<
struct unordered {
    int value = 0;
#ifdef FIXED
    friend auto operator<=>(const unordered&, const unordered&) = default;
#endif
    friend bool operator==(const unordered&, const unordered&) = default;
};
struct policy {
    using key_type = unordered;
    static unordered key(std::string_view) { return {}; }
};
using several = dlock::each<policy>;
several::key_type use() { return several::key(std::vector<std::string_view>{"user/001"}); }
