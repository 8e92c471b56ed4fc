"""Cloudflare account audit logs, read by ``cfaudit``.

The work is done by the command ``cfaudit``: it reads the audit log without
losing or repeating an entry and grades each one. This class is the seam to
AiSOC: it passes the configuration and the checkpoint to ``cfaudit batch`` on
standard input, and hands the events to the scheduler, which delivers them and
then stores the new checkpoint.

* A batch holds at most 1000 events and about 8 MiB, which is what the ingestion
  service takes in one request. The rest follows with the next poll.
* The checkpoint moves only with a batch that was accepted. After any failure,
  also a crash or a cancelled poll, the next one begins at the old checkpoint.
* The API token is written to the standard input of the command, and nowhere
  else: it is in no argument, no environment variable, no log and no file.

Installed by integrations/aisoc/install.py of
https://github.com/aisoc/cloudflareaudit, whose docs/exec-protocol.md describes
the input and output of the command.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import os
import re
import shutil
import time
import zlib
from pathlib import Path
from typing import Any

from app.connectors.base import BaseConnector, Capability, ConnectorSchema, Field, OAuthHints

logger = logging.getLogger("aisoc.connectors.cloudflare")

# The version of docs/exec-protocol.md that this class speaks.
_PROTOCOL = 1

# The most that the ingestion service takes in one request.
_MAX_EVENTS = 1000
_MAX_BYTES = 8 * 1024 * 1024

# How long a batch may take, in seconds. The command ends it in time with what it
# has read; the second bound is for a command that does not answer at all.
_BATCH_TIMEOUT_S = 240
_KILL_AFTER_S = 270.0

# The API service waits 15 seconds for the result of "Test connection".
_CHECK_TIMEOUT_S = 11
_CHECK_KILL_AFTER_S = 13.0

# The checkpoint is stored in the row of the instance, which every listing of the
# connectors returns. It has a few kB as a rule: 11 bytes for each entry within the
# overlap.
_MAX_CHECKPOINT_CHARS = 1024 * 1024
_MAX_CURSOR_BYTES = 16 * 1024 * 1024

_CHECKPOINT_VERSION = 1

# Waits that Cloudflare asked for, by account: an instance of this class lives for
# one poll only.
_wait_until: dict[str, float] = {}

# Half of a character outside of the basic plane, which no encoding can write.
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

# The catalog entry, as `cfaudit schema` prints it. Do not edit: a test of the
# project writes it.
_SCHEMA = json.loads(
    r"""
{
  "connector_id": "cloudflare",
  "connector_name": "Cloudflare",
  "category": "saas",
  "description": "Audit log of a Cloudflare account: members, tokens, DNS, WAF, Access, Workers and R2, graded by what changed.",
  "fields": [
    {
      "name": "account_id",
      "type": "string",
      "label": "Account ID",
      "required": true,
      "placeholder": "32 hexadecimal digits",
      "help_text": "In the dashboard, on the account's overview page: the menu behind its name, \"Copy account ID\". A zone id looks the same but is not one."
    },
    {
      "name": "api_token",
      "type": "secret",
      "label": "API token",
      "required": true,
      "help_text": "Create one under Manage Account > Account API Tokens, with the one permission Account > Account Settings > Read. A token of a user (My Profile > API Tokens) works too, until that user leaves the account. Not the Global API key."
    },
    {
      "name": "audit_log_api",
      "type": "select",
      "label": "Audit log",
      "required": false,
      "default": "v1",
      "help_text": "v1 has the values before and after a change; v2 has sign-ins, SCIM, scopes of API tokens and the request behind a change; both has all of it, with one correlation id for the two events of a change.",
      "options": [
        {
          "value": "v1",
          "label": "v1"
        },
        {
          "value": "v2",
          "label": "v2"
        },
        {
          "value": "both",
          "label": "both"
        }
      ]
    },
    {
      "name": "production_zones",
      "type": "textarea",
      "label": "Production zones",
      "required": false,
      "placeholder": "example.com, *.example.org",
      "help_text": "Zones in production: names or ids, separated by commas or line breaks; * stands for any text. Empty: every zone is in production."
    },
    {
      "name": "resolve_members",
      "type": "boolean",
      "label": "Resolve members",
      "required": false,
      "default": false,
      "help_text": "Fills in actors known by id alone, and the roles of new members, from the account's list of members. The token needs no further permission."
    },
    {
      "name": "drop_routine",
      "type": "boolean",
      "label": "Drop routine reads",
      "required": false,
      "default": true,
      "help_text": "Drops entries that the rules call routine, such as reads of settings. Off: they are delivered with severity info."
    },
    {
      "name": "initial_lookback",
      "type": "string",
      "label": "Initial lookback",
      "required": false,
      "default": "24h",
      "help_text": "How far back the first poll reaches, 1m to 548d."
    },
    {
      "name": "poll_interval_seconds",
      "type": "number",
      "label": "Poll interval (seconds)",
      "required": false,
      "default": 300,
      "help_text": "Time between polls, 30 to 86400."
    }
  ],
  "capabilities": [
    "pull_audit"
  ],
  "docs_url": "/docs/connectors/cloudflare",
  "oauth": {
    "supported_in_hosted": false
  }
}
"""
)


class CloudflareAuditError(RuntimeError):
    """A poll or a test that failed.

    ``kind`` is one of the list in docs/exec-protocol.md, such as ``credentials``
    or ``network``; ``remedy`` says what to do, or is None.
    """

    def __init__(self, message: str, *, kind: str = "internal", remedy: str | None = None) -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.kind = kind
        self.remedy = remedy


class CheckpointError(CloudflareAuditError):
    """A checkpoint that cannot be used or stored."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message, kind="cursor", remedy=remedy)


class CloudflareConnector(BaseConnector):
    connector_id = "cloudflare"
    connector_name = _SCHEMA.get("connector_name", "Cloudflare")
    connector_category = _SCHEMA.get("category", "saas")

    @classmethod
    def schema(cls) -> ConnectorSchema:
        return ConnectorSchema(
            connector_id=cls.connector_id,
            connector_name=cls.connector_name,
            category=cls.connector_category,
            description=_SCHEMA["description"],
            fields=[Field(**field) for field in _SCHEMA["fields"]],
            docs_url=_SCHEMA["docs_url"],
            oauth=OAuthHints(supported_in_hosted=_SCHEMA["oauth"]["supported_in_hosted"]),
            capabilities=cls.capabilities(),
        )

    @classmethod
    def capabilities(cls) -> tuple[Capability, ...]:
        return (Capability.PULL_AUDIT,)

    def __init__(self, account_id: str = "", api_token: str = "", **config: Any) -> None:
        # cfaudit checks all of it, with an error for each field that is wrong.
        self._config = {"account_id": account_id, "api_token": api_token, **config}
        self._cursor: str | None = None
        self._unusable: CheckpointError | None = None
        self._checkpoint: dict[str, Any] | None = None

    # ------------------------------------------------------------- checkpoint

    def set_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Take the checkpoint that was stored last, or None on the first poll.

        The scheduler ignores an exception here and would poll from the
        beginning. So a checkpoint that cannot be used fails the poll instead.
        """
        self._cursor, self._unusable = None, None
        if checkpoint is None or checkpoint == {}:
            return
        try:
            self._cursor = _unpack(checkpoint)
        except ValueError as exc:
            self._unusable = CheckpointError(
                f"the checkpoint of this connector cannot be used: {exc}; nothing was read",
                'put back the last good "checkpoint" of connector_config, '
                "or remove it to begin again at initial_lookback",
            )

    def get_checkpoint(self) -> dict[str, Any] | None:
        """Return the checkpoint behind the events of the last fetch."""
        return self._checkpoint

    # ---------------------------------------------------------------- polling

    async def fetch_alerts(self, since_seconds: int = 300) -> list[dict[str, Any]]:
        """Return the next batch of events.

        ``since_seconds`` is not used: the checkpoint says where to go on, also
        after an outage of any length.
        """
        if self._unusable is not None:
            raise self._unusable
        account = str(self._config.get("account_id"))
        left = _wait_until.get(account, 0.0) - time.monotonic()
        if left > 0:
            raise CloudflareAuditError(f"Cloudflare asked to wait; {left:.0f} seconds are left", kind="rate_limited")
        _wait_until.pop(account, None)
        request = {
            "protocol": _PROTOCOL,
            "config": self._config,
            "cursor": self._cursor,
            "max_events": _MAX_EVENTS,
            "max_bytes": _MAX_BYTES,
            "fit": "aisoc",
            "timeout_seconds": _BATCH_TIMEOUT_S,
        }
        code, lines = await self._run(["batch"], request, _KILL_AFTER_S)
        last = _parse(lines[-1]) if lines else {}
        if "error" in last:
            raise self._failure(last["error"], account)
        batch = last.get("batch")
        if code != 0 or not isinstance(batch, dict) or batch.get("events") != len(lines) - 1:
            raise CloudflareAuditError(f"cfaudit ended with code {code} and an incomplete batch")
        events = [_parse(line) for line in lines[:-1]]
        # Before the events are delivered, because it cannot be refused after that.
        checkpoint = _pack(batch)
        for notice in batch.get("notices") or []:
            logger.warning("cloudflare.notice account=%s %s", account, notice)
        self._checkpoint = checkpoint
        return events

    def normalize(self, raw: dict[str, Any]) -> dict[str, Any]:
        # Events of fetch_alerts are normalized; the scheduler calls this again.
        return raw

    # -------------------------------------------------------- test connection

    async def test_connection(self) -> dict[str, Any]:
        request = {"protocol": _PROTOCOL, "config": self._config, "timeout_seconds": _CHECK_TIMEOUT_S}
        try:
            code, lines = await self._run(["check", "--stdin"], request, _CHECK_KILL_AFTER_S)
            report = _parse(lines[-1]) if lines else {}
            if "error" in report:
                raise self._failure(report["error"], "")
            if "readable" not in report:
                raise CloudflareAuditError(f"cfaudit ended with code {code} and no report")
        except CloudflareAuditError as exc:
            return {"success": False, "connector": self.connector_id, "error": str(exc)}
        findings = report.get("findings") or []
        result = {
            "success": bool(report["readable"]) and code == 0,
            "connector": self.connector_id,
            "account_id": report.get("account_id"),
            "findings": findings,
        }
        result["message" if result["success"] else "error"] = _told(findings, result["success"])
        return result

    # ------------------------------------------------------------ the command

    def _failure(self, error: dict[str, Any], account: str) -> CloudflareAuditError:
        wait = error.get("retry_after")
        if account and isinstance(wait, int | float) and wait > 0:
            _wait_until[account] = time.monotonic() + wait
        return CloudflareAuditError(
            str(error.get("message") or "cfaudit failed without a reason"),
            kind=str(error.get("kind") or "internal"),
            remedy=error.get("remedy"),
        )

    async def _run(self, args: list[str], request: dict[str, Any], kill_after: float) -> tuple[int, list[bytes]]:
        """Run cfaudit with a request, and return its exit code and its lines.

        When this is cancelled or takes too long, the command is killed.
        """
        command = _command()
        data = json.dumps(request).encode("utf-8")
        try:
            process = await asyncio.create_subprocess_exec(
                command,
                *args,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_environment(),
            )
        except OSError as exc:
            raise CloudflareAuditError(
                f"cannot start {command}: {exc.strerror}",
                remedy="install cfaudit for the system and the processor of this service, or set CFAUDIT_BINARY to its path",
            ) from exc
        try:
            out, err = await asyncio.wait_for(process.communicate(data), kill_after)
        except TimeoutError:
            raise CloudflareAuditError(f"cfaudit did not answer within {kill_after:.0f} seconds", kind="network") from None
        finally:
            if process.returncode is None:
                try:
                    process.kill()
                except ProcessLookupError:
                    pass
                # Not to be cancelled, so that no zombie is left.
                await asyncio.shield(process.wait())
        for line in err.decode("utf-8", "replace").splitlines()[-20:]:
            logger.warning("cloudflare.cfaudit %s", line[:2000])
        return process.returncode or 0, out.split(b"\n")[:-1]


def _command() -> str:
    """Return the path of cfaudit.

    It is the environment variable CFAUDIT_BINARY, or what the installer has put
    beside this file, or found on PATH.
    """
    beside = Path(__file__).with_name("cfaudit.bin")
    path = os.environ.get("CFAUDIT_BINARY") or (str(beside) if beside.exists() else shutil.which("cfaudit"))
    if not path:
        raise CloudflareAuditError(
            "the command cfaudit is not installed in this service",
            remedy="run integrations/aisoc/install.py again and rebuild the image, or set CFAUDIT_BINARY to its path",
        )
    return path


def _environment() -> dict[str, str]:
    """Return what the command gets of the environment: where certificates are."""
    return {name: os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ}


def _parse(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8", "replace"))
        if _LONE_SURROGATE.search(line):
            text = json.dumps(value, ensure_ascii=False)
            value = json.loads(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError) as exc:
        raise CloudflareAuditError(f"cfaudit has written a line that cannot be read: {type(exc).__name__}") from exc
    if not isinstance(value, dict):
        raise CloudflareAuditError("cfaudit has written a line that is no object")
    return value


def _pack(batch: dict[str, Any]) -> dict[str, Any]:
    """Make the checkpoint that is stored behind a batch."""
    packed = base64.b64encode(zlib.compress(batch["cursor"].encode("utf-8"), 6)).decode("ascii")
    if len(packed) > _MAX_CHECKPOINT_CHARS:
        raise CheckpointError(
            f"the checkpoint would have {len(packed)} characters, more than the {_MAX_CHECKPOINT_CHARS} that are stored; nothing was delivered",
            "shorten overlap or overlap_v2: the checkpoint holds the ids of the entries within it",
        )
    coverage = batch.get("coverage") or {}
    return {
        "v": _CHECKPOINT_VERSION,
        "cursor": packed,
        # For people: up to when everything has been delivered, and whether more waits.
        "complete": coverage.get("complete"),
        "more": bool(batch.get("more")),
    }


def _unpack(checkpoint: Any) -> str:
    """Return the cursor in a checkpoint, or raise ValueError."""
    if not isinstance(checkpoint, dict):
        raise ValueError("it is no object")
    if checkpoint.get("v") != _CHECKPOINT_VERSION:
        raise ValueError(f"its version is {checkpoint.get('v')!r}, and this connector reads {_CHECKPOINT_VERSION}")
    packed = checkpoint.get("cursor")
    if not isinstance(packed, str) or not packed:
        raise ValueError("it has no cursor")
    try:
        inflate = zlib.decompressobj()
        cursor = inflate.decompress(base64.b64decode(packed, validate=True), _MAX_CURSOR_BYTES)
        if not inflate.eof:
            raise ValueError("its cursor is cut off, or too large")
        return cursor.decode("utf-8")
    except (binascii.Error, zlib.error, UnicodeDecodeError) as exc:
        raise ValueError("its cursor is damaged") from exc


def _told(findings: list[dict[str, Any]], success: bool) -> str:
    """Put the findings of a check into one text for the person at the form."""
    levels = ("ok", "note", "warning") if success else ("error",)
    texts = []
    for finding in findings:
        if finding.get("level") not in levels:
            continue
        text = str(finding.get("text", ""))
        if finding.get("remedy") and finding.get("level") != "ok":
            text += " " + str(finding["remedy"])
        texts.append(text if finding.get("level") != "warning" else "Warning: " + text)
    return " ".join(texts) or ("The audit log can be read." if success else "The audit log cannot be read.")
