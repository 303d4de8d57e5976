// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "examples/nightly/log_folder.hpp"

#include <unistd.h>

#include <array>
#include <ctime>
#include <fstream>
#include <random>
#include <stdexcept>
#include <utility>

#include "examples/nightly/child.hpp"

namespace nightly {
namespace {

namespace fs = std::filesystem;

/// orders.log-20240501
fs::path rotated(const fs::path& log, const std::string& night) { return log.string() + "-" + night; }
fs::path compressed(const fs::path& log, const std::string& night) { return rotated(log, night) += ".gz"; }
fs::path stamp(const fs::path& folder, const std::string& night) { return folder / ("rotated-" + night); }

std::string clock_time() {
    const std::time_t now = std::time(nullptr);
    std::array<char, 16> text{};
    std::strftime(text.data(), text.size(), "%H:%M:%S", std::localtime(&now));
    return text.data();
}

}  // namespace

log_folder::log_folder(fs::path path) : path_{std::move(path)} {
    if (fs::create_directories(path_)) write_samples(1'000'000);
}

void log_folder::write_samples(std::size_t bytes) const {
    std::minstd_rand random{std::random_device{}()};
    for (const char* const name : {"access.log", "orders.log", "payments.log", "search.log"}) {
        std::string lines;
        lines.reserve(bytes + 200);
        while (lines.size() < bytes) {
            lines += "level=info host=shop.example service=checkout customer=" + std::to_string(random() % 50'000) +
                     " article=" + std::to_string(random()) +
                     " currency=EUR status=accepted ms=" + std::to_string(random() % 900) + '\n';
        }
        std::ofstream{path_ / name, std::ios::app} << lines;
    }
}

std::set<fs::path> log_folder::logs(const std::string& night) const {
    std::set<fs::path> found;
    for (const auto& entry : fs::directory_iterator{path_}) {
        std::string name = entry.path();
        if (name.ends_with(".log-" + night)) name.resize(name.size() - night.size() - 1);  // renamed by who was killed
        if (name.ends_with(".log")) found.insert(name);
    }
    return found;
}

log_folder::size log_folder::due(const std::string& night) const {
    size found;
    for (const auto& log : logs(night)) {
        if (fs::exists(compressed(log, night))) continue;
        const auto source = fs::exists(rotated(log, night)) ? rotated(log, night) : log;
        ++found.logs;
        found.bytes += fs::file_size(source);
    }
    return found;
}

log_folder::size log_folder::rotate(const std::string& night, const std::function<void()>& go_on) const {
    size result;
    for (const auto& log : logs(night)) {
        const auto plain = rotated(log, night);
        const auto small = compressed(log, night);
        go_on();
        if (!fs::exists(small)) {
            if (!fs::exists(plain)) fs::rename(log, plain);
            std::ofstream{log, std::ios::app};  // the new log
            compress(plain, small, go_on);
        }
        fs::remove(plain);
        ++result.logs;
        result.bytes += fs::file_size(small);
    }
    const auto unnamed = stamp(path_, night) += ".tmp";
    std::ofstream{unnamed} << "process " << ::getpid() << " at " << clock_time() << '\n';
    go_on();
    fs::rename(unnamed, stamp(path_, night));
    return result;
}

void log_folder::compress(const fs::path& from, const fs::path& to, const std::function<void()>& go_on) const {
    const auto unnamed = fs::path{to} += ".tmp";
    std::ofstream out{unnamed, std::ios::binary | std::ios::trunc};
    child gzip{{"gzip", "--stdout", "--", from.string()}};  // if we are killed, it ends by writing to nobody
    for (std::string bytes = gzip.next_bytes(); !bytes.empty(); bytes = gzip.next_bytes()) {
        go_on();
        out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    out.close();
    if (gzip.wait() != 0 || !out) throw std::runtime_error{"cannot compress " + from.string()};
    go_on();
    fs::rename(unnamed, to);
}

std::string log_folder::rotated_by(const std::string& night) const {
    std::ifstream file{stamp(path_, night)};
    std::string who;
    std::getline(file, who);
    return who;
}

}  // namespace nightly
