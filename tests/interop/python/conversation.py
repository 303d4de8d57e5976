# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""The side of a client in the conversation that ../README.md describes."""
import sys


def converse(locks):
    """Obeys each line of the input until it ends.

    locks.lock(name, shared) and locks.unlock(name, shared) return nothing; locks.try_lock(name, shared) returns a bool.
    """
    print("ready", flush=True)
    for line in sys.stdin:
        command, name = line.rstrip("\n").split(" ", 1)
        verb, shared = command.removesuffix("_shared"), command.endswith("_shared")
        if verb == "lock":
            locks.lock(name, shared)
            answer = "held"
        elif verb == "try":
            answer = "held" if locks.try_lock(name, shared) else "busy"
        elif verb == "unlock":
            locks.unlock(name, shared)
            answer = "unlocked"
        else:
            raise ValueError(f"no such command: {line}")
        print(answer, flush=True)
