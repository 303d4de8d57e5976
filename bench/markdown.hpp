// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Results as tables that are readable in a terminal too.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "bench/result.hpp"

namespace dlock::bench {

/// Rows of cells, the first of which is the heading; columns are as wide as their widest cell.
class markdown_table {
public:
    explicit markdown_table(std::vector<std::string> heading) : rows_{std::move(heading)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

    friend std::ostream& operator<<(std::ostream& to, const markdown_table& table);

private:
    std::vector<std::vector<std::string>> rows_;
};

/// A table for each contest, under a line that says what it is.
void print_contests(std::ostream& to, const std::vector<result>& all);

/// A table with a line for each goal, measured or not.
void print_goals(std::ostream& to, const std::vector<result>& all);

}  // namespace dlock::bench
