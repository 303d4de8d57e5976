#!/usr/bin/env python3
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""Breaks the code on purpose, in a copy, and says which tests notice. A mutant that no test notices is a missing test.

    tools/mutants.py                 all of them
    tools/mutants.py guard unlock    those whose name contains one of the words

Each mutant replaces one piece of text, which must occur exactly once: when the code moves on, so must this list.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

ACQUIRER = "dlock/detail/acquirer.hpp"
POSTGRESQL = "backends/postgresql/backend.cpp"

# name, file, what stands there, what shall stand there, the tests that must notice
MUTANTS = [
    ("unlock does nothing", "dlock/lock.hpp",
     "        const auto outcome = release();\n", "        const auto outcome = released::yes;\n",
     ["//tests/conformance:memory_conformance_test"]),
    ("lock does nothing, postgresql", "backends/postgresql/statement.cpp",
     "    const auto& [key, m, where, pid, limit, override_lock_timeout, fenced] = what;\n",
     "    auto [key, m, where, pid, limit, override_lock_timeout, fenced] = what;\n    key.bits = reinterpret_cast<std::intptr_t>(&on);\n",
     ["//tests/conformance:postgresql_conformance_test"]),
    ("try_lock always true", ACQUIRER,
     "        return granted(m, Backend::try_acquire(session_, key_, m));\n",
     "        (void)granted(m, Backend::try_acquire(session_, key_, m));\n        return true;\n",
     ["//tests/conformance:memory_conformance_test"]),
    ("a lost race throws away nothing: timed wait always true", ACQUIRER,
     "        return granted(m, wait_.template acquire_until<Backend>(session_, key_, m, until, stop));\n",
     "        (void)granted(m, wait_.template acquire_until<Backend>(session_, key_, m, until, stop));\n        return true;\n",
     ["//tests/conformance:memory_conformance_test"]),
    ("milliseconds for seconds, postgresql", POSTGRESQL,
     "std::min(longest, until->remaining<milliseconds>())", "std::min(longest, until->remaining<milliseconds>() * 1000)",
     ["//tests/conformance:postgresql_conformance_test"]),
    ("milliseconds for seconds, mysql", "backends/mysql/backend.cpp",
     "std::chrono::floor<seconds>(left) : left;", "std::chrono::floor<seconds>(left) : left * 1000;",
     ["//tests/conformance:mysql_conformance_test"]),
    ("milliseconds for seconds, every deadline", "dlock/deadline.hpp",
     "std::chrono::ceil<clock::duration>(wait)}", "std::chrono::ceil<clock::duration>(wait) * 1000}",
     ["//tests/core/...", "//tests/conformance:sqlite_conformance_test"]),
    ("zero waits for ever, postgresql", ACQUIRER,
     "        if (until.expired() && !stop.stop_requested()) return try_lock(m);\n",
     "        if (until.expired() && !stop.stop_requested()) until = deadline::never();\n",
     ["//tests/conformance:postgresql_conformance_test"]),
    ("the guard removed, postgresql", POSTGRESQL,
     "    constexpr int attempts = 10;", "    if (what.key.bits != 0 && PQtransactionStatus(on.handle()) == PQTRANS_IDLE) return false;\n    constexpr int attempts = 10;",
     ["//tests/postgresql:ghost_lock_test"]),
    ("the guard removed, mysql", "backends/mysql/backend.cpp",
     "too late to stop the server\n    (void)prove_not_held(*on, key, on->id());\n", "too late to stop the server\n",
     ["//tests/mysql:mysql_test"]),
    ("the transaction not recovered, postgresql", POSTGRESQL,
     "PQtransactionStatus(on.handle()) == PQTRANS_INERROR && !statement::recover_transaction(on).ok()", "false",
     ["//tests/postgresql:postgresql_test"]),
    ("a pooler not refused", "backends/postgresql/connection.cpp",
     "if (!session_pooling_ && server_pid_ != PQbackendPID(handle_)) {", "if (false) {",
     ["//tests/postgresql:postgresql_test"]),
    ("a second object not refused, postgresql", POSTGRESQL,
     "    if (on->find(key) != nullptr) {", "    if (false) {",
     ["//tests/conformance:postgresql_conformance_test"]),
    ("the destructor forgets", "dlock/lock.hpp",
     "        if (this->grant_ && release() == released::pending) Backend::sever(this->session_, *this->grant_);\n", "",
     ["//tests/conformance:memory_conformance_test"]),
    ("a token constant, mysql", "backends/mysql/backend.cpp",
     "fencing_token{with == fencing::yes ? *answer.value : 0}", "fencing_token{with == fencing::yes ? 7U : 0U}",
     ["//tests/mysql:mysql_test"]),
    ("a token of a commit that nobody waits for, postgresql", "backends/postgresql/sql.hpp",
     "WHEN 'off' THEN 'on' ", "WHEN 'off' THEN 'off' ",
     ["//tests/postgresql:fencing_test"]),
    ("a token without a lock: kept when none can be drawn, sqlite", "backends/sqlite/backend.cpp",
     "        (void)release(s, k, m, *taken);\n", "",
     ["//tests/sqlite:fencing_test"]),
    ("a token minted when the waiter wakes up, memory", "backends/memory/server.cpp",
     "return grant{session, self.token};", "return grant{session, {++last_token_}};",
     ["//tests/memory:memory_test"]),
    ("hash bytes reversed", "dlock/detail/blake2b.hpp",
     "        digest[i] = state[i];\n", "        digest[DigestSize - 1 - i] = state[i];\n",
     ["//tests/keys/..."]),
]


def run(command, where):
    return subprocess.run(command, cwd=where, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main():
    words = sys.argv[1:]
    chosen = [m for m in MUTANTS if not words or any(w in m[0] for w in words)]
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="dlock-mutants.") as scratch:
        tree = pathlib.Path(scratch) / "tree"
        files = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).split()
        for name in files:
            if (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, tree / name)
        if (ROOT / "user.bazelrc").is_file():
            shutil.copy2(ROOT / "user.bazelrc", tree / "user.bazelrc")
        bazel = ["bazel", f"--output_user_root={scratch}/bazel"]
        try:
            for name, path, old, new, tests in chosen:
                source = tree / path
                text = source.read_text()
                if text.count(old) != 1:
                    print(f"STALE     {name}: its text occurs {text.count(old)} times in {path}", flush=True)
                    survivors += 1
                    continue
                source.write_text(text.replace(old, new))
                result = run(bazel + ["test", "--test_output=all", "--noshow_progress", "--test_timeout=100"] + tests, tree)
                source.write_text(text)
                if "FAILED: Build did NOT complete" in result.stdout and "Test cases" not in result.stdout:
                    errors = [line for line in result.stdout.splitlines() if "error:" in line]
                    caught = any("static assertion failed" in line for line in errors)
                    print(f"{'caught' if caught else 'BROKEN'}    {name}: does not compile: {errors[0]}", flush=True)
                    survivors += not caught
                    continue
                failed = sorted(set(re.findall(r"\[  FAILED  \] (\w+\.\w+)", result.stdout)))
                timed_out = re.findall(r"(//\S+)\s+TIMEOUT", result.stdout)
                if result.returncode == 0:
                    survivors += 1
                print(f"{'SURVIVED' if result.returncode == 0 else 'caught'}  {name}: "
                      f"{', '.join(failed[:6])}{f' and {len(failed) - 6} more' if len(failed) > 6 else ''}{' '.join(timed_out)}", flush=True)
        finally:
            run(bazel + ["shutdown"], tree)
            run(["chmod", "-R", "u+w", scratch], "/")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
