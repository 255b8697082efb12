"""What samples say they are of, and which may stand in one table."""

import hashlib
import pathlib
import subprocess
import tempfile
import unittest

from loads import builds

ONE = {"commit": "a" * 40, "dirty": False, "graft": "1" * 64}
OTHER = {"commit": "b" * 40, "dirty": False, "graft": "2" * 64}


def samples(*found):
    return [{"value": 1.0} if build is None else {"value": 1.0, "build": build} for build in found]


class Records(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.program = self.root / "program"
        self.program.write_bytes(b"graft")

    def git(self, *arguments):
        subprocess.run(
            ["git", "-C", str(self.root), "-c", "user.name=n", "-c", "user.email=e", *arguments],
            check=True, stdout=subprocess.DEVNULL)

    def test_have_commit_changes_and_binary(self):
        (self.root / "Sources").mkdir()
        source, page = self.root / "Sources/a", self.root / "page.md"
        source.write_text("1")
        page.write_text("1")
        self.git("init", "--quiet")
        self.git("add", "Sources", "page.md")
        self.git("commit", "--quiet", "--no-gpg-sign", "-m", "m")
        clean = builds.build_of(self.program, self.root)
        self.assertRegex(clean["commit"], "^[0-9a-f]{40}$")
        self.assertEqual(clean["graft"], hashlib.sha256(b"graft").hexdigest())
        self.assertFalse(clean["dirty"])
        # A page that is written while measuring makes no figure another.
        page.write_text("2")
        self.assertEqual(builds.build_of(self.program, self.root), clean)
        source.write_text("2")
        self.assertEqual(builds.build_of(self.program, self.root), clean | {"dirty": True})

    def test_have_no_commit_outside_of_a_repository(self):
        found = builds.build_of(self.program, self.root)
        self.assertEqual((found["commit"], found["dirty"]), (None, False))

    def test_have_versions_and_parameters(self):
        found = builds.stamped({"value": 2.0}, ONE, "run", {"llama.cpp": "1"}, {"clients": 8})
        self.assertRegex(found.pop("at"), r"^\d{4}-\d\d-\d\dT")
        self.assertEqual(found, {"value": 2.0, "build": ONE, "run": "run", "versions": {"llama.cpp": "1"},
                                 "parameters": {"clients": 8}})


class OneBuild(unittest.TestCase):
    def test_is_found(self):
        self.assertEqual(builds.only_build(samples(ONE, ONE)), builds.key_of({"build": ONE}))
        self.assertEqual(builds.only_build(samples(None)), builds.UNRECORDED)
        self.assertIsNone(builds.only_build([]))

    def test_is_asked_for_where_there_are_several(self):
        for other in [OTHER, ONE | {"graft": "3" * 64}, ONE | {"dirty": True}, None]:
            with self.assertRaises(builds.MixedBuilds):
                builds.only_build(samples(ONE, other))
        with self.assertRaises(builds.MixedBuilds) as caught:
            builds.only_build(samples(ONE, ONE, OTHER | {"dirty": True}, None))
        self.assertEqual(
            str(caught.exception),
            "samples of 3 builds don't go into one table: commit aaaaaaa, graft 111111111111 (2); commit "
            "bbbbbbb with changes, graft 222222222222 (1); a build that they don't name (1); choose one with "
            "--commit (the beginning of its commit or of graft's SHA-256, or 'unrecorded'), or measure anew")

    def test_is_chosen_by_commit_or_binary(self):
        mixed = samples(ONE, OTHER, None)
        for wanted, build in [("aaaa", ONE), ("1111", ONE), ("bb", OTHER), ("2", OTHER)]:
            self.assertEqual(builds.only_build(mixed, wanted), builds.key_of({"build": build}))
        self.assertEqual(builds.only_build(mixed, "unrecorded"), builds.UNRECORDED)

    def test_is_not_chosen_by_a_commit_of_two_binaries(self):
        with self.assertRaisesRegex(builds.MixedBuilds, "samples of 2 builds"):
            builds.only_build(samples(ONE, ONE | {"graft": "3" * 64}), "aaaa")

    def test_must_be_among_the_samples(self):
        with self.assertRaisesRegex(builds.MixedBuilds, "no sample is of the build 'cccc'; there are samples of"):
            builds.only_build(samples(ONE), "cccc")
