#!/usr/bin/env python3
"""Install the Cloudflare connector into a checkout of AiSOC.

    python3 integrations/aisoc/install.py ~/AiSOC              install or upgrade
    python3 integrations/aisoc/install.py ~/AiSOC --check      is it installed?
    python3 integrations/aisoc/install.py ~/AiSOC --uninstall  put back what was there

Changes to the checkout:

  services/connectors/app/connectors/cloudflare_audit.py   added: the class
  services/connectors/app/connectors/cfaudit.bin           added: the command
  services/connectors/app/connectors/__init__.py           one line: the registry
                                                           takes this class for "cloudflare"
  services/connectors/app/db/connector_repo.py             one line: a checkpoint is
                                                           stored as an object
  services/api/app/data/connector_catalog_fallback.json    the entry "cloudflare"
  docs/connectors/conformance-matrix.md                    the row "cloudflare"
  apps/docs/docs/connectors/cloudflare.md                  the documentation page
  docker-compose.override.yml                              added, unless there is one:
                                                           a key and a port

Two of these correct AiSOC 7.7 for every connector:

* connector_repo.py encodes a checkpoint twice. On Postgres that turns
  connector_config, to which it is added, into a list; the instance is not polled
  again, and the list of connectors cannot be shown.
* docker-compose.yml gives the connectors service neither the key of the credential
  vault, without which it polls nothing, nor the port at which the API looks for
  it, without which "Test connection" fails. The key comes from
  AISOC_CREDENTIAL_KEY in .env.

AiSOC's own cloudflare.py stays where it is, unused. The replaced parts are kept in
.cfaudit-install.json, from which --uninstall restores them byte for byte. Running
the installer again changes nothing, or upgrades.

It needs Python 3.8 or later and nothing besides. The command is built with
Go, unless --binary names one that is built already.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent

STATE = ".cfaudit-install.json"
CLASS = "cloudflare_audit.py"
BINARY = "cfaudit.bin"
ID = "cloudflare"


class Refused(Exception):
    """Something that a person has to decide or mend. Nothing has been changed."""


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Part:
    """A part of a file of the checkout, or a file that is added."""

    def __init__(self, path, what, find, wanted, added=False, mode=None, missing=None):
        self.path = path  # relative to the root
        self.what = what
        self.find = find  # bytes -> (start, end), or None for the whole file
        self.wanted = wanted  # bytes
        self.added = added  # AiSOC has no such file
        self.mode = mode
        self.missing = missing  # what to say where there is no such part, which is no fault

    def is_left(self, root, known):
        """Tell whether the part is none of this installer's business here."""
        if not self.missing:
            return False
        path = root / self.path
        if self.find is not None:
            return self.find(path.read_bytes()) is None
        # A file that somebody else has written stays.
        return path.exists() and known is None and path.read_bytes() != self.wanted

    def read(self, root):
        """Return what is in front of the part, the part, and what is behind it.

        The part is None if the file is not there.
        """
        try:
            data = (root / self.path).read_bytes()
        except FileNotFoundError:
            return b"", None, b""
        if self.find is None:
            return b"", data, b""
        span = self.find(data)
        if span is None and self.missing:
            return b"", self.wanted, b""
        if span is None:
            raise Refused(f"{self.path}: there is no {self.what}; this installer knows AiSOC 7.7")
        return data[: span[0]], data[span[0] : span[1]], data[span[1] :]

    def write(self, root, part):
        before, _, behind = self.read(root)
        path = root / self.path
        if part is None:
            path.unlink()
            return
        mode = self.mode or (path.stat().st_mode & 0o777 if path.exists() else 0o644)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".cfaudit-")
        try:
            with os.fdopen(handle, "wb") as f:
                f.write(before + part + behind)
            os.chmod(name, mode)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise


# ------------------------------------------------------------- finding the parts


def find_import(data):
    """Find the line of the registry that says which class "cloudflare" is."""
    m = re.search(rb"^from app\.connectors\.(?:cloudflare|cloudflare_audit) import CloudflareConnector(?=\r?$)", data, re.M)
    if m is None or b"\n    CloudflareConnector," not in data:
        return None
    return m.span()


def find_entry(data):
    """Find the entry "cloudflare" in the list of catalog entries."""
    text = data.decode("utf-8")
    decoder = json.JSONDecoder()
    at = text.index("[") + 1
    while True:
        at = re.compile(r"[\s,]*").match(text, at).end()
        if at >= len(text) or text[at] == "]":
            return None
        entry, end = decoder.raw_decode(text, at)
        if entry.get("connector_id") == ID:
            return len(text[:at].encode("utf-8")), len(text[:end].encode("utf-8"))
        at = end


def find_row(data):
    m = re.search(rb"^\| cloudflare \|.*?(?=\r?$)", data, re.M)
    return m and m.span()


def find_encoding(data):
    m = re.search(rb'cast\((?:json\.loads\()?json\.dumps\(\{"checkpoint": checkpoint\}\)\)?, JSONB\)', data)
    return m and m.span()


# ------------------------------------------------------------------ their contents


def schema():
    """Return the catalog entry, which is in the class."""
    text = (HERE / CLASS).read_text(encoding="utf-8")
    return json.loads(re.search(r'_SCHEMA = json\.loads\(\s*r"""(.*?)"""', text, re.S).group(1))


def entry(s):
    keys = ("connector_id", "connector_name", "category", "description", "fields", "capabilities", "docs_url", "oauth")
    text = json.dumps({key: s[key] for key in keys}, indent=2)
    return text.replace("\n", "\n  ").encode("ascii")


def row(s):
    secrets = sum(field["type"] == "secret" for field in s["fields"])
    return f"| {ID} | {s['category']} | {len(s['fields'])} | {secrets} | {len(s['capabilities'])} | ✅ | ✅ | ✅ |".encode()


OVERRIDE = b"""# Settings without which the connectors service polls nothing.
# Both services must have the same key. To make one:
#   python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'
services:
  api:
    environment:
      AISOC_CREDENTIAL_KEY: ${AISOC_CREDENTIAL_KEY:?set it in .env}
  connectors:
    environment:
      AISOC_CREDENTIAL_KEY: ${AISOC_CREDENTIAL_KEY:?set it in .env}
      PORT: "8003"
"""


def needs_override(root):
    """Tell whether docker-compose.yml leaves the connectors service without a key."""
    try:
        data = (root / "docker-compose.yml").read_bytes()
    except FileNotFoundError:
        return False
    return b"\n  connectors:" in data and b"AISOC_CREDENTIAL_KEY" not in data


def parts(root, service, binary, whole):
    """List the parts, for a service in the folder service below the root."""
    connectors = (f"{service}/" if service else "") + "app/connectors/"
    found = [
        Part(connectors + CLASS, "class", None, (HERE / CLASS).read_bytes(), added=True),
        Part(
            connectors + "__init__.py",
            "registry with CloudflareConnector",
            find_import,
            b"from app.connectors.cloudflare_audit import CloudflareConnector",
        ),
    ]
    found.append(
        Part(
            (f"{service}/" if service else "") + "app/db/connector_repo.py",
            "encoding of a checkpoint",
            find_encoding,
            b'cast(json.loads(json.dumps({"checkpoint": checkpoint})), JSONB)',
            missing="see that a checkpoint is stored as an object there: AiSOC 7.7 encodes it twice",
        )
    )
    if binary is not None:
        found.insert(0, Part(connectors + BINARY, "command", None, binary, added=True, mode=0o755))
    if whole:
        s = schema()
        found += [
            Part("services/api/app/data/connector_catalog_fallback.json", 'entry "cloudflare"', find_entry, entry(s)),
            Part("docs/connectors/conformance-matrix.md", 'row "cloudflare"', find_row, row(s)),
            Part(
                "apps/docs/docs/connectors/cloudflare.md",
                "documentation page",
                None,
                (PROJECT / "docs" / "connectors" / "cloudflare.md").read_bytes(),
            ),
        ]
    if whole and needs_override(root):
        found.append(
            Part(
                "docker-compose.override.yml",
                "what the service needs to poll",
                None,
                OVERRIDE,
                added=True,
                missing="is not this installer's: see that api and connectors have AISOC_CREDENTIAL_KEY, and connectors PORT 8003",
            )
        )
    return found


def build(arch):
    """Build the command for Linux, as one file without libraries."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cfaudit"
        env = {**os.environ, "CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": arch}
        command = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(file), "./cmd/cfaudit"]
        try:
            done = subprocess.run(command, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        except FileNotFoundError:
            raise Refused("Go is not installed; install Go 1.26, or name a built command for Linux with --binary") from None
        if done.returncode:
            raise Refused("cannot build cfaudit:\n" + done.stdout.decode("utf-8", "replace"))
        return file.read_bytes()


def read_binary(path):
    data = Path(path).read_bytes()
    if not data.startswith(b"\x7fELF"):
        raise Refused(f"--binary: {path} is no program for Linux")
    return data


def default_arch():
    return {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower(), "amd64")


# ------------------------------------------------------------ the installation


class Installation:
    def __init__(self, root, found):
        self.root = root
        self.parts = found
        try:
            self.state = json.loads((root / STATE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.state = {}
        except ValueError as exc:
            raise Refused(f"{STATE} is damaged: {exc}") from None

    def save(self):
        path = self.root / STATE
        if self.state:
            path.write_text(json.dumps(self.state, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        elif path.exists():
            path.unlink()

    def install(self, out):
        # All is read before anything is written, so that nothing is done by half
        # in a checkout that is not the right one.
        todo = [(part, part.read(self.root)[1]) for part in self.parts]
        for part, current in todo:
            known = self.state.get(part.path)
            if current is None and not part.added:
                raise Refused(f"{part.path} is not there; this installer knows AiSOC 7.7")
            if part.is_left(self.root, known):
                continue
            if part.added:
                known = {"original": None}
            elif current == part.wanted:
                continue  # what was there before is known already, or never will be
            elif known is None or digest(current) != known["installed"]:
                known = {"original": current.decode("utf-8")}
            self.state[part.path] = {**known, "installed": digest(part.wanted)}
        left = [part for part, _ in todo if part.is_left(self.root, self.state.get(part.path))]
        self.save()
        for part, current in todo:
            if part in left:
                out(f"note       {part.path}: {part.missing}")
                continue
            if current == part.wanted:
                out(f"unchanged  {part.path}")
                continue
            part.write(self.root, part.wanted)
            out(f"{'added' if current is None else 'changed':9}  {part.path}: {part.what}")

    def uninstall(self, out):
        left = []
        for part in reversed(self.parts):
            known = self.state.get(part.path)
            current = part.read(self.root)[1]
            original = known and known["original"]
            original = original.encode("utf-8") if original is not None else None
            if known is None:
                if current == part.wanted and not part.missing:
                    left.append(f"{part.path}: what was there before is not known; git checkout -- {part.path}")
                continue
            if current == original:
                out(f"unchanged  {part.path}")
            elif current is not None and digest(current) == known["installed"]:
                part.write(self.root, original)
                out(f"{'removed' if original is None else 'restored':9}  {part.path}")
            else:
                left.append(f"{part.path}: was changed after the installation, and is left as it is")
                continue
            del self.state[part.path]
            self.save()
        return left

    def check(self, out):
        """Say what is missing or out of date, and return whether all is in place."""
        good = True
        for part in self.parts:
            current = part.read(self.root)[1]
            if current == part.wanted or part.is_left(self.root, self.state.get(part.path)):
                continue
            good = False
            out(f"{'missing' if current is None else 'not this one'}: {part.path}: {part.what}")
        return good


def check_binary(installation, path, out):
    """Check the command without building it: it is the one that was installed."""
    file = installation.root / path
    known = installation.state.get(path)
    if not file.exists():
        out(f"missing: {path}: command")
        return False
    if not os.access(file, os.X_OK) or known and digest(file.read_bytes()) != known["installed"]:
        out(f"not this one: {path}: command")
        return False
    return True


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="install.py", description="Install the Cloudflare connector of cloudflareaudit into a checkout of AiSOC."
    )
    parser.add_argument("checkout", type=Path, help="the root of the checkout")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="change nothing; exit code 1 if it is not installed as a whole")
    what.add_argument("--uninstall", action="store_true", help="put back what was there")
    parser.add_argument("--binary", metavar="FILE", help="a built cfaudit for Linux; by default it is built with Go")
    parser.add_argument("--arch", default=default_arch(), help="the processor of the service, amd64 or arm64 (default: %(default)s)")
    parser.add_argument("--no-binary", action="store_true", help="leave the command out: it is on the PATH of the service, or in CFAUDIT_BINARY")
    parser.add_argument(
        "--service-only",
        action="store_true",
        help="CHECKOUT is the folder of the connectors service alone, as in its image; catalog and documentation are left out",
    )
    return parser.parse_args(argv)


def run(argv, out=print):
    args = arguments(argv)
    root = args.checkout.resolve()
    service = "" if args.service_only else "services/connectors"
    connectors = (f"{service}/" if service else "") + "app/connectors/"
    if not (root / connectors / "base.py").is_file():
        raise Refused(f"{root} is no {'connectors service' if args.service_only else 'checkout'} of AiSOC: there is no {connectors}base.py")
    if args.check:
        installation = Installation(root, parts(root, service, None, not args.service_only))
        good = installation.check(out)
        if not args.no_binary:
            good = check_binary(installation, connectors + BINARY, out) and good
        out("installed" if good else "not installed")
        return 0 if good else 1
    if args.uninstall:
        installation = Installation(root, parts(root, service, b"", not args.service_only))
        left = installation.uninstall(out)
        for line in left:
            out("left       " + line)
        return 1 if left else 0
    binary = None
    if not args.no_binary:
        binary = read_binary(args.binary) if args.binary else build(args.arch)
    Installation(root, parts(root, service, binary, not args.service_only)).install(out)
    if not args.service_only:
        out("\nNow rebuild and restart the connectors service:\n")
        out(f"  cd {root} && docker compose build connectors && docker compose up -d api connectors\n")
        out('"Add connector > Cloudflare" then adds this connector.')
    return 0


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1:]))
    except (Refused, OSError) as exc:
        print(f"install.py: {exc}", file=sys.stderr)
        sys.exit(1)
