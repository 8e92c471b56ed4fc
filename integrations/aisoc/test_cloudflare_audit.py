"""Tests of the class in AiSOC, against the built command and a fake API.

They need the standard library alone, and run under pytest as well:

    go build -o cfaudit ./cmd/cfaudit && go build -o fakeserver ./internal/fakeserver
    CFAUDIT_BINARY=$PWD/cfaudit FAKESERVER=$PWD/fakeserver \
        python3 -m unittest discover -s integrations/aisoc -v

`go test ./integrations/aisoc` does the same.
"""

import asyncio
import base64
import inspect
import json
import logging
import os
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "testdata" / "standin")]

import cloudflare_audit as ca  # noqa: E402

TENANT = "00000000-0000-4000-8000-000000000001"
INSTANCE = "00000000-0000-4000-8000-000000000002"


class Servers:
    """The fakes, in a process of their own."""

    def __init__(self):
        self.process = subprocess.Popen([os.environ["FAKESERVER"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.at = json.loads(self.process.stdout.readline())

    def do(self, **command):
        with urllib.request.urlopen(urllib.request.Request(self.at["control"], json.dumps(command).encode())) as reply:
            return json.load(reply)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Host:
    """What the scheduler of AiSOC does in a poll, in its order.

    The row of an instance is JSON in a database, so each checkpoint makes the
    way through JSON.
    """

    def __init__(self, at, **config):
        self.at = at
        self.auth = {"api_token": at["api_token"]}
        self.config = {"account_id": at["account_id"], "base_url": at["cloudflare"], **config}
        self.health = "unknown"
        self.ingested = 0
        self.error = None
        self.delivered = []

    def connector(self):
        runtime = {k: v for k, v in self.config.items() if k not in ("poll_interval_seconds", "checkpoint")}
        connector = ca.CloudflareConnector(**self.auth, **runtime)
        try:
            connector.set_checkpoint(self.config.get("checkpoint"))
        except Exception:  # the host ignores it, too
            pass
        return connector

    async def poll(self):
        connector = self.connector()
        try:
            events = await connector.fetch_alerts(since_seconds=300)
            events = [connector.normalize(event) for event in events]
            accepted = self.push(events)
        except Exception as exc:
            self.health, self.error = "unhealthy", exc
            return None
        self.delivered.append([event["external_id"] for event in events])
        checkpoint = connector.get_checkpoint()
        if isinstance(checkpoint, dict) and checkpoint:
            self.config = json.loads(json.dumps({**self.config, "checkpoint": checkpoint}))
        self.health, self.error = "healthy", None
        self.ingested += accepted
        return events

    def push(self, events):
        if not events:
            return 0
        body = {"connector_id": INSTANCE, "connector_type": "cloudflare", "source_format": "raw_json", "events": events}
        request = urllib.request.Request(
            self.at["aisoc"] + "/v1/ingest/batch",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "X-Tenant-ID": TENANT},
        )
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)["accepted"]


class AgainstFakes(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = Servers()
        cls.addClassCleanup(cls.servers.close)

    def setUp(self):
        self.at = self.servers.at
        self.servers.do(reset=True)
        ca._wait_until.clear()
        # A notice is no part of what is tested, except where it is.
        logging.getLogger("aisoc").setLevel(logging.CRITICAL)
        logging.getLogger("asyncio").setLevel(logging.ERROR)

    def host(self, **config):
        return Host(self.at, **config)


class TestPolling(AgainstFakes):
    async def test_three_polls_with_ingestion_down_then_up(self):
        self.servers.do(add=143, service="500")
        host = self.host()
        self.assertIsNone(await host.poll())
        self.assertEqual(host.health, "unhealthy")
        self.assertNotIn("checkpoint", host.config)

        self.servers.do(service="ok")
        events = await host.poll()
        self.assertEqual(len(events), 143)
        self.assertEqual((host.health, host.ingested), ("healthy", 143))
        self.assertIn("checkpoint", host.config)

        self.assertEqual(await host.poll(), [])
        self.assertEqual((host.health, host.ingested), ("healthy", 143))
        state = self.servers.do()
        self.assertEqual(len(state["accepted"]), 143)
        self.assertEqual(set(state["accepted"].values()), {1})
        self.assertFalse(state["violations"])

    async def test_events_have_what_the_host_reads(self):
        self.servers.do(add=2)
        events = await self.host().poll()
        for event in events:
            self.assertEqual(event["source"], "cloudflare")
            self.assertIn(event["severity"], ("critical", "high", "medium", "low", "info"))
            self.assertEqual(event["timestamp"], event["created_at"], "freshness is read from timestamp")
            self.assertIsInstance(event["raw_event"], dict)
        self.assertEqual(events[0].keys(), events[1].keys(), "other keys would be schema drift")

    async def test_a_backlog_of_5000_events_in_five_polls(self):
        self.servers.do(add=5000)
        host = self.host()
        sizes = [len(await host.poll()) for _ in range(5)]
        self.assertEqual(sizes, [1000] * 5)
        self.assertEqual(await host.poll(), [])
        accepted = self.servers.do()["accepted"]
        self.assertEqual(len(accepted), 5000)
        self.assertEqual(set(accepted.values()), {1}, "none is repeated")

    async def test_large_entries_keep_the_bound_in_bytes_and_lose_none(self):
        self.servers.do(add=400, size=40_000)
        host = self.host()
        polls = 0
        while sum(map(len, host.delivered)) < 400 and polls < 10:
            events = await host.poll()
            self.assertIsNotNone(events, host.error)
            self.assertLessEqual(len(json.dumps(events, ensure_ascii=False)), 9 * 1024 * 1024)
            polls += 1
        self.assertGreater(polls, 1)
        self.assertLess(polls, 5)
        accepted = self.servers.do()["accepted"]
        self.assertEqual((len(accepted), set(accepted.values())), (400, {1}))

    async def test_an_entry_too_large_for_the_host_is_cut_visibly(self):
        self.servers.do(add=3, size=2_000_000)
        events = await self.host().poll()
        self.assertEqual(len(events), 3)
        self.assertEqual({event["raw_truncated"] for event in events}, {True})
        self.assertEqual(len(self.servers.do()["accepted"]), 3)

    async def test_odd_entries_come_through(self):
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
        deep = "[" * 3000 + "]" * 3000
        for odd in ('"\\ud800 \\u00e9"', "12345678901234567890123", "1e999", deep):
            raw = '{"entry":{"id":"odd-%d","when":"%s","action":{"type":"create","result":true},"odd":%s}}' % (len(odd), when, odd)
            request = urllib.request.Request(self.at["control"], raw.encode())
            urllib.request.urlopen(request).close()
        host = self.host()
        events = await host.poll()
        self.assertIsNotNone(events, host.error)
        self.assertEqual(len(events), 4)
        for event in events:
            json.dumps(event, ensure_ascii=False, allow_nan=False).encode("utf-8")

    async def test_a_wrong_token_fails_the_poll_and_says_what_to_do(self):
        self.servers.do(add=3)
        host = self.host()
        host.auth["api_token"] = "cfat_wrong"
        self.assertIsNone(await host.poll(), "the first poll must not look healthy")
        self.assertEqual(host.health, "unhealthy")
        self.assertEqual(host.error.kind, "credentials")
        self.assertIn("HTTP 403", str(host.error))
        self.assertIn("create an account-owned token", str(host.error))
        self.assertNotIn("cfat_wrong", str(host.error))
        self.assertNotIn("checkpoint", host.config)
        host.auth["api_token"] = self.at["api_token"]
        self.assertEqual(len(await host.poll()), 3)

    async def test_the_settings_of_the_host_are_not_in_the_way(self):
        self.servers.do(add=2)
        host = self.host(
            poll_interval_seconds=60,
            filter_rules=[{"field": "severity", "op": "eq", "value": "info", "action": "drop"}],
            expected_cadence_seconds=3600,
            allowed_capabilities=["pull_audit"],
            production_zones="",
            max_events=0,
        )
        self.assertEqual(len(await host.poll()), 2)

    async def test_an_unknown_field_is_an_error_with_the_nearest_name(self):
        host = self.host(page_sise=5)
        self.assertIsNone(await host.poll())
        self.assertEqual(host.error.kind, "config")
        self.assertIn('did you mean "page_size"?', str(host.error))

    async def test_a_wait_that_cloudflare_asks_for_is_kept(self):
        self.servers.do(add=1)
        host = self.host()
        error = {"kind": "rate_limited", "message": "HTTP 429", "retry_after": 60}
        host.connector()._failure(error, self.at["account_id"])
        before = self.servers.do()["requests"]
        self.assertIsNone(await host.poll())
        self.assertEqual(host.error.kind, "rate_limited")
        self.assertEqual(self.servers.do()["requests"], before)
        ca._wait_until[self.at["account_id"]] = time.monotonic() - 1
        self.assertEqual(len(await host.poll()), 1)


class TestCheckpoint(AgainstFakes):
    async def checkpoint(self):
        self.servers.do(add=20)
        host = self.host()
        await host.poll()
        return host

    async def test_is_small_json_without_a_secret(self):
        host = await self.checkpoint()
        text = json.dumps(host.config["checkpoint"])
        self.assertLess(len(text), 1500)
        self.assertNotIn(self.at["api_token"], text)
        cursor = zlib.decompress(base64.b64decode(host.config["checkpoint"]["cursor"])).decode()
        self.assertIn(self.at["account_id"], cursor)
        self.assertNotIn(self.at["api_token"], cursor)
        self.assertTrue(host.config["checkpoint"]["complete"])

    async def test_a_damaged_one_fails_the_poll_and_reads_nothing(self):
        host = await self.checkpoint()
        good = host.config["checkpoint"]
        bomb = base64.b64encode(zlib.compress(b"x" * (ca._MAX_CURSOR_BYTES + 1))).decode()
        other = zlib.decompress(base64.b64decode(good["cursor"])).replace(b'"account_id": "0', b'"account_id": "1')
        requests = self.servers.do()["requests"]
        for name, bad in {
            "a list": [1],
            "a text": "x",
            "no version": {"cursor": good["cursor"]},
            "a newer version": {**good, "v": 2},
            "no cursor": {"v": 1},
            "no base64": {**good, "cursor": "!" + good["cursor"]},
            "cut off": {**good, "cursor": good["cursor"][:-24]},
            "a changed byte": {**good, "cursor": good["cursor"][:40] + "AAAA" + good["cursor"][44:]},
            "no JSON inside": {**good, "cursor": base64.b64encode(zlib.compress(b"{")).decode()},
            "another account": {**good, "cursor": base64.b64encode(zlib.compress(other)).decode()},
            "too large": {**good, "cursor": bomb},
        }.items():
            with self.subTest(name):
                host.config["checkpoint"] = bad
                self.assertIsNone(await host.poll())
                self.assertEqual(host.error.kind, "cursor")
                self.assertEqual(host.config["checkpoint"], bad, "it is left as it is")
                self.assertEqual(host.health, "unhealthy")
        self.assertEqual(self.servers.do()["requests"], requests, "nothing was read")
        host.config["checkpoint"] = good
        self.assertEqual(await host.poll(), [])

    async def test_one_that_is_too_large_is_refused_before_events_are_delivered(self):
        self.servers.do(add=50)
        host = self.host()
        with mock.patch.object(ca, "_MAX_CHECKPOINT_CHARS", 100):
            self.assertIsNone(await host.poll())
        self.assertIsInstance(host.error, ca.CheckpointError)
        self.assertIn("more than the 100 that are stored; nothing was delivered", str(host.error))
        self.assertIn("shorten overlap", str(host.error))
        self.assertEqual(self.servers.do()["posts"], 0)
        self.assertEqual(len(await host.poll()), 50)


class TestFailuresOfTheProcess(AgainstFakes):
    async def test_a_poll_cancelled_in_the_middle_leaves_no_process_and_no_checkpoint(self):
        self.servers.do(add=5, api="hang")
        host = self.host()
        connector = host.connector()
        started = []
        create = asyncio.create_subprocess_exec

        async def remember(*args, **kwargs):
            started.append(await create(*args, **kwargs))
            return started[0]

        with mock.patch.object(asyncio, "create_subprocess_exec", remember):
            task = asyncio.create_task(connector.fetch_alerts())
            while not self.servers.do()["requests"]:
                await asyncio.sleep(0.01)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
        self.assertIsNotNone(started[0].returncode)
        with self.assertRaises(ProcessLookupError):
            os.kill(started[0].pid, 0)
        self.assertIsNone(connector.get_checkpoint())
        self.servers.do(api="ok")
        self.assertEqual(len(await host.poll()), 5)

    async def test_a_command_that_does_not_answer_is_killed(self):
        self.servers.do(api="hang")
        with mock.patch.object(ca, "_KILL_AFTER_S", 0.5):
            host = self.host()
            began = time.monotonic()
            self.assertIsNone(await host.poll())
            self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(host.error.kind, "network")
        self.assertIn("did not answer within", str(host.error))

    async def test_a_command_that_is_missing_or_breaks_off_is_an_error(self):
        host = self.host()
        for name, script, text in (
            ("no program", None, "cannot start"),
            ("no answer", "cat >/dev/null; exit 3", "ended with code 3 and an incomplete batch"),
            ("events and no end", "cat >/dev/null; echo '{\"external_id\":\"x\"}'", "incomplete batch"),
            ("fewer events than it says", "cat >/dev/null; echo '{\"batch\":{\"cursor\":\"c\",\"events\":1}}'", "incomplete batch"),
            ("no JSON", "cat >/dev/null; echo what", "cannot be read"),
        ):
            with self.subTest(name):
                path = self.enterContext(_program(script))
                with mock.patch.dict(os.environ, {"CFAUDIT_BINARY": path}):
                    self.assertIsNone(await host.poll())
                self.assertIn(text, str(host.error))
                self.assertNotIn(self.at["api_token"], str(host.error))
                self.assertNotIn("checkpoint", host.config)

    async def test_the_token_is_in_no_argument_and_no_environment(self):
        self.servers.do(add=1)
        calls = []
        create = asyncio.create_subprocess_exec

        async def remember(*args, **kwargs):
            calls.append((args, kwargs["env"]))
            return await create(*args, **kwargs)

        with mock.patch.object(asyncio, "create_subprocess_exec", remember):
            host = self.host()
            await host.poll()
            await host.connector().test_connection()
        self.assertEqual([args[1:] for args, _ in calls], [("batch",), ("check", "--stdin")])
        for args, env in calls:
            self.assertNotIn(self.at["api_token"], repr(args) + repr(env))
            self.assertLessEqual(set(env), {"SSL_CERT_FILE", "SSL_CERT_DIR"})


class TestTestConnection(AgainstFakes):
    async def test_a_token_of_the_account_passes(self):
        # AiSOC's own class fails here: it asks /user/tokens/verify.
        self.servers.do(add=1)
        result = await self.host().connector().test_connection()
        self.assertTrue(result["success"], result)
        self.assertEqual(result["connector"], "cloudflare")
        self.assertIn("The audit log can be read.", result["message"])
        self.assertTrue(result["findings"])
        self.assertNotIn("error", result)
        json.dumps(result)

    async def test_the_values_of_the_form_are_taken_as_they_are(self):
        fields = ca.CloudflareConnector.schema().fields
        values = {f.name: f.default if f.default is not None else "" for f in fields}
        values.update(poll_interval_seconds=0, account_id=self.at["account_id"], api_token=self.at["api_token"])
        result = await ca.CloudflareConnector(**values, base_url=self.at["cloudflare"]).test_connection()
        self.assertTrue(result["success"], result)

    async def test_failures_say_what_to_do(self):
        host = self.host()
        host.auth["api_token"] = "cfat_wrong"
        result = await host.connector().test_connection()
        self.assertFalse(result["success"])
        self.assertIn("HTTP 403", result["error"])
        self.assertIn("Account > Account Settings > Read", result["error"])
        self.assertNotIn("cfat_wrong", json.dumps(result))

        result = await self.host(account_id="zone").connector().test_connection()
        self.assertFalse(result["success"])
        self.assertIn("account_id", result["error"])

        with mock.patch.dict(os.environ, {"CFAUDIT_BINARY": "/does/not/exist"}):
            result = await self.host().connector().test_connection()
        self.assertFalse(result["success"])
        self.assertIn("cannot start /does/not/exist", result["error"])

    async def test_answers_before_the_host_gives_up(self):
        self.servers.do(api="hang")
        with mock.patch.object(ca, "_CHECK_TIMEOUT_S", 1):
            began = time.monotonic()
            result = await self.host().connector().test_connection()
        self.assertFalse(result["success"])
        self.assertLess(time.monotonic() - began, 8)
        self.assertLess(ca._CHECK_KILL_AFTER_S, 15)


class TestContract(unittest.TestCase):
    """What AiSOC's schema and conformance tests ask of every connector."""

    def test_the_class(self):
        cls = ca.CloudflareConnector
        self.assertTrue(inspect.iscoroutinefunction(cls.test_connection))
        self.assertTrue(inspect.iscoroutinefunction(cls.fetch_alerts))
        self.assertIn("normalize", vars(cls))
        self.assertEqual(cls.capabilities(), (ca.Capability.PULL_AUDIT,))
        self.assertEqual(cls.connector_id, "cloudflare")

    def test_the_schema(self):
        schema = ca.CloudflareConnector.schema()
        self.assertEqual(schema.connector_id, "cloudflare")
        self.assertEqual(schema.category, "saas")
        self.assertFalse(schema.oauth.supported_in_hosted)
        self.assertEqual(schema.docs_url, "/docs/connectors/cloudflare")
        self.assertEqual([f.name for f in schema.fields if f.required], ["account_id", "api_token"])
        self.assertLessEqual(len(schema.fields), 8)

    def test_a_token_given_by_position_is_not_shown(self):
        connector = ca.CloudflareConnector("account", "cfat_secret")
        self.assertNotIn("cfat_secret", repr(connector) + str(connector))


class _program:
    """A program with a script of the shell, or the path of none."""

    def __init__(self, script):
        self.script = script

    def __enter__(self):
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "cfaudit"
        if self.script is not None:
            path.write_text("#!/bin/sh\n" + self.script + "\n")
            path.chmod(0o755)
        return str(path)

    def __exit__(self, *_):
        self.folder.cleanup()


if __name__ == "__main__":
    unittest.main()
