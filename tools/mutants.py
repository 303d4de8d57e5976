#!/usr/bin/env python3
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""Breaks the code on purpose, in a copy, and says which test notices. A mutant that no test notices is a missing test.

    tools/mutants.py                 all of mutant_list.py
    tools/mutants.py guard unlock    those whose name contains one of the words
    tools/mutants.py --check         breaks nothing: whether each mutant's text still occurs exactly once
    --scratch DIR                    keeps the copy and what was built there, for the next time

First the tests run unbroken: they must pass, and there must be some. Then, for every mutant, they stop at the first failure.
A mutant in which a test hangs is caught by a limit of time; `--test_timeout` says which.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

# Not resolve(): as a test this file is a link to itself, and its data lie beside the link.
ROOT = pathlib.Path(os.path.abspath(__file__)).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True

from mutant_list import MUTANTS  # noqa: E402


def stale(root, mutant):
    """Why the mutant cannot be made, or None."""
    for path, old, _ in mutant.edits:
        file = root / path
        count = file.read_text().count(old) if file.is_file() else 0
        if count != 1:
            return "its text occurs %d times in %s: %s" % (count, path, old.strip().splitlines()[0])
    return None


def check():
    rotten = [(m.name, why) for m, why in ((m, stale(ROOT, m)) for m in MUTANTS) if why]
    names = [m.name for m in MUTANTS]
    rotten += [(name, "there are two of that name") for name in sorted(set(names)) if names.count(name) > 1]
    for name, why in rotten:
        print("STALE     %s: %s" % (name, why))
    print("%d mutants, %d stale" % (len(MUTANTS), len(rotten)))
    return 1 if rotten or not MUTANTS else 0


class Workshop:
    """A copy of the tree with a Bazel of its own."""

    def __init__(self, scratch, test_timeout):
        self.tree = pathlib.Path(scratch) / "tree"
        shutil.rmtree(self.tree, ignore_errors=True)
        files = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).split("\n")
        for name in files + ["user.bazelrc"]:
            if name and (ROOT / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.tree / name)
        rc = self.tree / "user.bazelrc"
        cache = [] if rc.is_file() and "--disk_cache" in rc.read_text() else ["--disk_cache=%s/cache" % scratch]
        self.bazel = ["bazel", "--output_user_root=%s/bazel" % scratch]
        self.test_command = self.bazel + ["test"] + cache + [
            "--test_output=all", "--noshow_progress", "--test_timeout=%d" % test_timeout, "--test_env=GTEST_FAIL_FAST=1"]

    def test(self, labels, filters):
        return subprocess.run(self.test_command + ["--test_filter=" + filters] + labels.split(), cwd=self.tree, text=True,
                              errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def mutate(self, mutant):
        """Breaks the copy; the function that is returned mends it."""
        before = {path: (self.tree / path).read_text() for path, _, _ in mutant.edits}
        for path, old, new in mutant.edits:
            file = self.tree / path
            file.write_text(file.read_text().replace(old, new))

        def mend():
            for path, text in before.items():
                (self.tree / path).write_text(text)
        return mend

    def close(self):
        subprocess.run(self.bazel + ["shutdown"], cwd=self.tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ran(output):
    return sum(int(n) for n in re.findall(r"\[==========\] (\d+) tests? from .* ran", output))


def verdict(result):
    """(word, what noticed)"""
    output = result.stdout
    if result.returncode == 0:
        return "SURVIVED", "%d tests passed" % ran(output)
    failed = list(dict.fromkeys(re.findall(r"\[  FAILED  \] ([\w/]+\.[\w/]+)", output)))
    if failed:
        return "caught", ", ".join(failed)
    started = re.findall(r"\[ RUN      \] ([\w/]+\.[\w/]+)", output)
    if re.search(r"^TIMEOUT: ", output, re.MULTILINE):
        return "caught", "%s hangs" % (started[-1] if started else "it")
    if started:
        return "caught", "%s ends the process" % started[-1]
    errors = [line for line in output.splitlines() if "error:" in line]
    if any("static assertion failed" in line for line in errors):
        return "caught", "does not compile: " + next(line for line in errors if "static assertion failed" in line)
    return "BROKEN", "; ".join(errors[:2]) or output[-500:]


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("words", nargs="*")
    options.add_argument("--check", action="store_true")
    options.add_argument("--scratch")
    options.add_argument("--test_timeout", type=int, default=90)
    options = options.parse_args()
    if options.check:
        return check()

    chosen = [m for m in MUTANTS if not options.words or any(w in m.name for w in options.words)]
    scratch = options.scratch or tempfile.mkdtemp(prefix="dlock-mutants.")
    workshop = Workshop(scratch, options.test_timeout)
    bad = 0
    sound = {}
    try:
        for mutant in chosen:
            began = time.monotonic()
            why = stale(workshop.tree, mutant)
            if why:
                word, what = "STALE", why
            else:
                key = mutant.tests, mutant.filter
                if key not in sound:
                    unbroken = workshop.test(*key)
                    sound[key] = None if unbroken.returncode == 0 and ran(unbroken.stdout) > 0 else unbroken.stdout[-2000:]
                if sound[key] is not None:
                    word, what = "UNSOUND", "its tests fail unbroken, or there are none: " + sound[key]
                else:
                    began = time.monotonic()
                    mend = workshop.mutate(mutant)
                    try:
                        word, what = verdict(workshop.test(*key))
                    finally:
                        mend()
            bad += word != "caught"
            print("%-9s %s: %s (%.0f s)" % (word, mutant.name, what, time.monotonic() - began), flush=True)
        print("%d mutants, %d not caught" % (len(chosen), bad))
    finally:
        workshop.close()
        if not options.scratch:
            subprocess.run(["chmod", "-R", "u+w", scratch])
            shutil.rmtree(scratch, ignore_errors=True)
    return 1 if bad or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
