#!/usr/bin/env python3
# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""count.py EVENTS STATUS: counts the test cases of one `bazel test`, whose exit status was STATUS, from its
--build_event_json_file and the test.xml files named there.

A test that fails although none of its cases did (a leak, a sanitizer, a timeout) and a target that does not build count
as one failure each. Skipped and disabled cases count as neither. Exits with 1 when anything failed or nothing passed.
"""

import json
import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree


def cases_of(result):
    """The (name, outcome) of every case in one test's test.xml."""
    for output in result.get("testActionOutput", []):
        if output["name"] == "test.xml":
            path = urllib.request.url2pathname(urllib.parse.urlparse(output["uri"]).path)
            for case in xml.etree.ElementTree.parse(path).iter("testcase"):
                name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
                if case.find("failure") is not None or case.find("error") is not None:
                    yield name, "failed"
                elif case.find("skipped") is not None or case.get("status") == "notrun":
                    yield name, "skipped"
                else:
                    yield name, "passed"


def main():
    results, unbuilt = {}, set()
    with open(sys.argv[1]) as events:
        for event in map(json.loads, filter(str.strip, events)):
            identity = event["id"]
            if "testResult" in identity:
                test = identity["testResult"]
                # A later attempt at the same run replaces the earlier one.
                results[test["label"], test.get("run"), test.get("shard")] = event.get("testResult", {})
            elif "targetCompleted" in identity and not event.get("completed", {}).get("success"):
                unbuilt.add(identity["targetCompleted"]["label"])

    count = {"passed": 0, "failed": 0, "skipped": 0}
    for (label, *_), result in sorted(results.items(), key=lambda item: item[0][0]):
        failed_before = count["failed"]
        for name, outcome in cases_of(result):
            count[outcome] += 1
            if outcome != "passed":
                print("%s: %s %s" % (outcome, label, name))
        if result.get("status") not in ("PASSED", "FLAKY") and count["failed"] == failed_before:
            count["failed"] += 1
            print("failed: %s (%s)" % (label, result.get("status", "no status").lower()))
    for label in sorted(unbuilt):
        count["failed"] += 1
        print("failed: %s (did not build)" % label)

    status = int(sys.argv[2])
    if status and not count["failed"]:
        count["failed"] += 1
        print("failed: bazel test (exit status %d)" % status)

    print("%(passed)d passed, %(failed)d failed" % count)
    return 0 if count["passed"] and not count["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
