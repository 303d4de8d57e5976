#!/usr/bin/env python3
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""count.py EVENTS STATUS [EVENTS STATUS]...: counts the test cases of a `bazel test` or several, whose exit status was
STATUS, from its --build_event_json_file and the test.xml files named there.

A test that fails although none of its cases did (a leak, a sanitizer, a timeout) and a target that does not build count
as one failure each. Skipped and disabled cases count as neither, and are listed with the reason that they give. Exits
with 1 when anything failed or nothing passed.
"""

import json
import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree


def cases_of(result):
    """The (name, outcome, reason to skip it) of every case in one test's test.xml."""
    for output in result.get("testActionOutput", []):
        if output["name"] == "test.xml":
            path = urllib.request.url2pathname(urllib.parse.urlparse(output["uri"]).path)
            for case in xml.etree.ElementTree.parse(path).iter("testcase"):
                name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
                skipped = case.find("skipped")
                if case.find("failure") is not None or case.find("error") is not None:
                    yield name, "failed", ""
                elif skipped is not None:
                    yield name, "skipped", skipped.get("message", "").strip().rpartition("\n")[2]
                elif case.get("status") == "notrun":
                    yield name, "skipped", "disabled"
                else:
                    yield name, "passed", ""


def read(events):
    """The results of the tests, by label, run and shard; and the labels of the targets that did not build."""
    results, unbuilt = {}, set()
    with open(events) as lines:
        for event in map(json.loads, filter(str.strip, lines)):
            identity = event["id"]
            if "testResult" in identity:
                test = identity["testResult"]
                # A later attempt at the same run replaces the earlier one.
                results[test["label"], test.get("run"), test.get("shard")] = event.get("testResult", {})
            elif "targetCompleted" in identity and not event.get("completed", {}).get("success"):
                unbuilt.add(identity["targetCompleted"]["label"])
    return results, unbuilt


def main():
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for events, status in zip(sys.argv[1::2], map(int, sys.argv[2::2])):
        failed_at_first = count["failed"]
        results, unbuilt = read(events)
        for (label, *_), result in sorted(results.items(), key=lambda item: item[0][0]):
            failed_before = count["failed"]
            for name, outcome, reason in cases_of(result):
                count[outcome] += 1
                if outcome != "passed":
                    print("%s: %s %s%s" % (outcome, label, name, reason and ": " + reason))
            if result.get("status") not in ("PASSED", "FLAKY") and count["failed"] == failed_before:
                count["failed"] += 1
                print("failed: %s (%s)" % (label, result.get("status", "no status").lower()))
        for label in sorted(unbuilt):
            count["failed"] += 1
            print("failed: %s (did not build)" % label)
        if status and count["failed"] == failed_at_first:
            count["failed"] += 1
            print("failed: bazel test (exit status %d)" % status)

    print("%(skipped)d skipped" % count)
    print("%(passed)d passed, %(failed)d failed" % count)
    return 0 if count["passed"] and not count["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
