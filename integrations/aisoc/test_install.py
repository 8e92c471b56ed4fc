"""Tests of the installer, on a small tree with the files that it changes."""

import json
import os
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import install  # noqa: E402

CONNECTORS = "services/connectors/app/connectors/"
REGISTRY = CONNECTORS + "__init__.py"
REPO = "services/connectors/app/db/connector_repo.py"
CATALOG = "services/api/app/data/connector_catalog_fallback.json"
MATRIX = "docs/connectors/conformance-matrix.md"
PAGE = "apps/docs/docs/connectors/cloudflare.md"
COMPOSE = "docker-compose.yml"
OVERRIDE = "docker-compose.override.yml"
PROGRAM = b"\x7fELF, and so on"

TREE = {
    CONNECTORS + "base.py": "# the base\n",
    CONNECTORS + "cloudflare.py": "class CloudflareConnector:\n    connector_id = 'cloudflare'\n",
    REGISTRY: (
        "from app.connectors.box import BoxConnector\n"
        "from app.connectors.cloudflare import CloudflareConnector\n"
        "from app.connectors.cloudflare_zt import CloudflareZTConnector\n\n"
        "_CONNECTOR_CLASSES = (\n    BoxConnector,\n    CloudflareConnector,\n    CloudflareZTConnector,\n)\n"
    ),
    REPO: 'import json\n\n    patch = cast(json.dumps({"checkpoint": checkpoint}), JSONB)\n',
    CATALOG: (
        '[\n  {"connector_id": "box", "description": "Ümläute and [brackets]"},\n'
        '  {"connector_id": "cloudflare", "fields": []},\n  {"connector_id": "cloudflare_zt"}\n]\n'
    ),
    MATRIX: "| box | saas | 3 | 1 | 1 | ✅ | ✅ | ✅ |\n| cloudflare | saas | 2 | 1 | 1 | ✅ | ✅ | ✅ |\n| cloudflare_zt | x |\n",
    PAGE: "---\ntitle: Cloudflare Audit Logs\n---\n",
    COMPOSE: "services:\n  api:\n    image: api\n  connectors:\n    image: connectors\n",
}


class Checkout(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "AiSOC"
        for path, text in TREE.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        self.binary = Path(folder.name) / "cfaudit"
        self.binary.write_bytes(PROGRAM)
        self.said = []

    def run_it(self, *args):
        self.said = []
        return install.run([str(self.root), *args], self.said.append)

    def install(self, *args):
        return self.run_it("--binary", str(self.binary), *args)

    def tree(self):
        return {str(p.relative_to(self.root)): p.read_bytes() for p in self.root.rglob("*") if p.is_file()}

    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8")


class TestInstall(Checkout):
    def test_the_registry_takes_the_class(self):
        self.assertEqual(self.install(), 0)
        registry = self.text(REGISTRY)
        self.assertIn("\nfrom app.connectors.cloudflare_audit import CloudflareConnector\n", registry)
        self.assertNotIn("app.connectors.cloudflare import", registry)
        self.assertEqual(registry.count("\n"), TREE[REGISTRY].count("\n"))
        self.assertEqual(self.text(CONNECTORS + "cloudflare_audit.py"), (HERE / "cloudflare_audit.py").read_text(encoding="utf-8"))
        self.assertEqual(self.text(CONNECTORS + "cloudflare.py"), TREE[CONNECTORS + "cloudflare.py"], "it stays")

    def test_the_command_can_be_run(self):
        self.install()
        command = self.root / CONNECTORS / "cfaudit.bin"
        self.assertEqual(command.read_bytes(), PROGRAM)
        self.assertTrue(command.stat().st_mode & stat.S_IXOTH, "the service runs as another user")

    def test_the_catalog_has_the_form_and_the_other_entries_as_they_were(self):
        self.install()
        before, after = TREE[CATALOG], self.text(CATALOG)
        self.assertEqual(before.split("  {\"connector_id\": \"cloudflare\",")[0], after.split("  {\n    \"connector_id\": \"cloudflare\",")[0])
        self.assertTrue(after.endswith(',\n  {"connector_id": "cloudflare_zt"}\n]\n'))
        entry = json.loads(after)[1]
        self.assertEqual(entry["connector_id"], "cloudflare")
        self.assertLessEqual(len(entry["fields"]), 8)
        self.assertEqual(entry["capabilities"], ["pull_audit"])
        row = self.text(MATRIX).splitlines()[1]
        self.assertEqual(row, f"| cloudflare | saas | {len(entry['fields'])} | 1 | 1 | ✅ | ✅ | ✅ |")
        self.assertIn("\nid: cloudflare\n", self.text(PAGE))

    def test_a_checkpoint_is_stored_as_an_object(self):
        self.install()
        self.assertIn('cast(json.loads(json.dumps({"checkpoint": checkpoint})), JSONB)', self.text(REPO))

    def test_a_version_of_aisoc_that_stores_it_otherwise_is_left_alone(self):
        (self.root / REPO).write_text("other\n", encoding="utf-8")
        self.assertEqual(self.install(), 0)
        self.assertEqual(self.text(REPO), "other\n")
        self.assertIn("encodes it twice", "\n".join(self.said))
        self.assertEqual(self.run_it("--check"), 0)
        self.assertEqual(self.run_it("--uninstall"), 0)
        self.assertEqual(self.text(REPO), "other\n")

    def test_the_service_gets_what_it_needs_to_poll(self):
        self.install()
        override = self.text(OVERRIDE)
        self.assertEqual(override.count("AISOC_CREDENTIAL_KEY: ${AISOC_CREDENTIAL_KEY:?set it in .env}"), 2)
        self.assertIn('PORT: "8003"', override)

    def test_an_override_of_the_owner_stays(self):
        (self.root / OVERRIDE).write_text("mine\n", encoding="utf-8")
        self.assertEqual(self.install(), 0)
        self.assertIn("see that api and connectors have AISOC_CREDENTIAL_KEY", "\n".join(self.said))
        self.assertEqual(self.run_it("--check"), 0)
        self.assertEqual(self.run_it("--uninstall"), 0)
        self.assertEqual(self.text(OVERRIDE), "mine\n")

    def test_where_the_key_is_set_there_is_no_override(self):
        (self.root / COMPOSE).write_text(TREE[COMPOSE] + "    environment:\n      AISOC_CREDENTIAL_KEY: x\n", encoding="utf-8")
        self.install()
        self.assertFalse((self.root / OVERRIDE).exists())
        self.assertEqual(self.run_it("--check"), 0)

    def test_a_second_time_changes_nothing(self):
        self.install()
        before = self.tree()
        self.install()
        self.assertEqual(self.tree(), before)
        self.assertEqual([line for line in self.said if line.startswith(("added", "changed"))], [])

    def test_uninstall_puts_back_every_byte(self):
        before = self.tree()
        self.install()
        self.install()
        self.assertEqual(self.run_it("--uninstall"), 0)
        self.assertEqual(self.tree(), before)
        self.assertEqual(self.run_it("--uninstall"), 0, "a second time does no harm")
        self.assertEqual(self.tree(), before)

    def test_uninstall_after_an_upgrade_puts_back_every_byte(self):
        before = self.tree()
        self.install()
        # An older release had another page, class and command.
        state = json.loads(self.text(install.STATE))
        for path in (PAGE, CONNECTORS + "cloudflare_audit.py"):
            (self.root / path).write_text("older\n", encoding="utf-8")
            state[path]["installed"] = install.digest(b"older\n")
        (self.root / install.STATE).write_text(json.dumps(state), encoding="utf-8")
        self.binary.write_bytes(PROGRAM + b", newer")
        self.install()
        self.assertIn("\nid: cloudflare\n", self.text(PAGE))
        self.assertEqual(self.run_it("--uninstall"), 0)
        self.assertEqual(self.tree(), before)

    def test_what_was_changed_by_hand_is_left(self):
        self.install()
        (self.root / PAGE).write_text("mine\n", encoding="utf-8")
        self.assertEqual(self.run_it("--uninstall"), 1)
        self.assertIn(f"{PAGE}: was changed after the installation", "\n".join(self.said))
        self.assertEqual(self.text(PAGE), "mine\n")
        self.assertEqual(self.text(REGISTRY), TREE[REGISTRY], "the rest is put back")

    def test_check_says_what_is_missing(self):
        self.assertEqual(self.run_it("--check"), 1)
        self.assertEqual(self.said[-1], "not installed")
        self.assertEqual(len(self.said), 9)
        self.install()
        before = self.tree()
        self.assertEqual(self.run_it("--check"), 0)
        self.assertEqual(self.said, ["installed"])
        self.assertEqual(self.tree(), before)
        for path in (CONNECTORS + "cfaudit.bin", CONNECTORS + "cloudflare_audit.py", REGISTRY, CATALOG, MATRIX, PAGE, REPO, OVERRIDE):
            with self.subTest(path):
                good = (self.root / path).read_bytes()
                if path in TREE:
                    (self.root / path).write_text(TREE[path], encoding="utf-8")
                else:
                    (self.root / path).unlink()
                self.assertEqual(self.run_it("--check"), 1)
                self.assertIn(path, self.said[0])
                (self.root / path).write_bytes(good)
                os.chmod(self.root / path, 0o755)

    def test_what_is_no_checkout_is_left_alone(self):
        for path in (REGISTRY, CATALOG, MATRIX, PAGE, CONNECTORS + "base.py"):
            with self.subTest(path):
                good = (self.root / path).read_bytes()
                for bad in (None, b"[]"):
                    if path in (PAGE, CONNECTORS + "base.py") and bad:
                        continue  # any text will do
                    if bad is None:
                        (self.root / path).unlink()
                    else:
                        (self.root / path).write_bytes(bad)
                    before = self.tree()
                    with self.assertRaises(install.Refused):
                        self.install()
                    self.assertEqual(self.tree(), before, "nothing is done by half")
                (self.root / path).write_bytes(good)

    def test_a_command_for_another_system_is_refused(self):
        self.binary.write_bytes(b"MZ")
        with self.assertRaises(install.Refused):
            self.install()

    def test_in_the_image_only_the_service_is_there(self):
        service = self.root / "services" / "connectors"
        before = self.tree()
        self.assertEqual(install.run([str(service), "--service-only", "--no-binary"], self.said.append), 0)
        changed = {path for path, data in self.tree().items() if before.get(path) != data}
        self.assertEqual(changed, {REGISTRY, REPO, CONNECTORS + "cloudflare_audit.py", "services/connectors/" + install.STATE})
        self.assertEqual(install.run([str(service), "--service-only", "--no-binary", "--check"], self.said.append), 0)
        self.assertEqual(install.run([str(service), "--service-only", "--uninstall"], self.said.append), 0)
        self.assertEqual(self.tree(), before)

    def test_it_runs_as_a_program(self):
        done = subprocess.run([sys.executable, str(HERE / "install.py"), str(self.root / "none")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^install.py: .* is no checkout of AiSOC")
        done = subprocess.run(
            [sys.executable, str(HERE / "install.py"), str(self.root), "--binary", str(self.binary)], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("docker compose up -d api connectors", done.stdout)


if __name__ == "__main__":
    unittest.main()
