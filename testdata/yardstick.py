"""Makes an event line of every entry, the way a connector in Python does.

With a number as argument it reads one page of the audit log from standard input,
handles it that many times, and prints the nanoseconds of CPU that one entry
takes. Without one it reads an entry a line and writes the event lines."""

import json
import sys
import time


def line(entry):
    action = entry.get("action") or {}
    actor = entry.get("actor") or {}
    resource = entry.get("resource") or {}
    metadata = entry.get("metadata") or {}
    return json.dumps({
        "source": "cloudflare",
        "category": "saas",
        "external_id": entry.get("id"),
        "title": f'{action.get("type")} {resource.get("type")}',
        "severity": "info",
        "action": action.get("type"),
        "actor": actor.get("email") or actor.get("id"),
        "src_ip": actor.get("ip"),
        "hostname": metadata.get("zone_name"),
        "created_at": entry.get("when"),
        "raw_event": entry,
    })


def measure(rounds):
    page = sys.stdin.buffer.read()
    entries = 0
    begin = time.process_time_ns()
    for _ in range(rounds):
        for entry in json.loads(page)["result"]:
            line(entry)
            entries += 1
    print((time.process_time_ns() - begin) / entries)


def main():
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]))
        return
    write = sys.stdout.write
    for text in sys.stdin.buffer:
        write(line(json.loads(text)) + "\n")


main()
