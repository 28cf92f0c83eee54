"""`scripts/conformance`: what is green, what is red, and what it does not let pass."""

import json
import pathlib
import shutil
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "conformance"
HEAD = "#page docs/x.md\n#title X\n#about A standard.\n"


class House:
    """A repository with rules and results, and nothing else."""

    def __init__(self, root):
        self.root = root
        self.tests, self.cases = [], []
        for folder in ("scripts", "docs", "Tests/Conformance", ".build/conformance"):
            (root / folder).mkdir(parents=True)
        shutil.copy(SCRIPT, root / "scripts")

    def rules(self, *lines):
        (self.root / "Tests/Conformance/x.tsv").write_text(HEAD + "".join(line + "\n" for line in lines))

    def swift(self, name, *kinds):
        """A test of Swift Testing and the kinds of its events."""
        id = f"T.{len(self.tests)}"
        place = {"fileID": "SomeTests/Some.swift"}
        self.tests.append(("test", {"kind": "function", "id": id, "name": "f()", "displayName": name, "sourceLocation": place}))
        self.tests += [("event", {"kind": kind, "testID": id, "issue": {"isKnown": False}}) for kind in kinds]

    def pytest(self, function, ids, outcome=""):
        properties = "".join(f'<property name="proves" value="{id}"/>' for id in ids)
        self.cases.append(f'<testcase classname="test_x" name="{function}"><properties>{properties}</properties>{outcome}</testcase>')

    def run(self, *arguments):
        results = self.root / ".build/conformance"
        lines = [json.dumps({"kind": kind, "payload": payload, "version": 0}) for kind, payload in self.tests]
        (results / "unit.jsonl").write_text("\n".join(lines))
        (results / "peers.xml").write_text(f"<testsuites><testsuite>{''.join(self.cases)}</testsuite></testsuites>")
        return subprocess.run([self.root / "scripts/conformance", *arguments], capture_output=True, text=True)

    def faults(self):
        """What a check says right after the pages were written."""
        self.run()
        answer = self.run("--check")
        assert (answer.returncode == 0) == (answer.stderr == ""), answer.stderr
        return answer.stderr

    @property
    def page(self):
        return (self.root / "docs/x.md").read_text()


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_proofs_and_reasons(house):
    house.rules("X-1.1-1\tone", "X-1.1-2\ttwo", "X-1.1-3\tthree\tbinds the client")
    house.swift("says so [X-1.1-1]", "testStarted", "testEnded")
    house.swift("says so too [X-1.1-1] [X-1.1-2]", "testStarted", "testEnded")
    house.pytest("test_it[a]", ["X-1.1-2"])
    house.pytest("test_it[b]", ["X-1.1-2"])
    assert house.faults() == ""
    assert "| X | 3 | 2 | 1 | 0 |" in house.page
    some, peer = "[Some](../Tests/SomeTests/Some.swift): says so", "[test_x](../Tests/Peers/test_x.py): test\\_it"
    assert f"| X-1.1-1 | one | {some}<br>{some} too |" in house.page
    assert f"| X-1.1-2 | two | {peer}<br>{some} too |" in house.page
    assert "| X-1.1-3 | three | *binds the client* |" in house.page


def test_a_page_that_is_not_what_the_run_gives(house):
    house.rules("X-1.1-1\tone\tno reason needed")
    assert house.faults() == ""
    (house.root / "docs/x.md").write_text(house.page + "and more\n")
    answer = house.run("--check")
    assert answer.returncode == 1 and "docs/x.md is not what this run gives: run `make conformance`" in answer.stderr


@pytest.mark.parametrize("kinds", [
    ["testStarted", "issueRecorded", "testEnded"], ["testSkipped"], ["testStarted"], [],
], ids=["failed", "skipped", "cut off", "never begun"])
def test_only_a_test_that_passes_is_a_proof(house, kinds):
    house.rules("X-1.1-1\tone")
    house.swift("good [X-1.1-1]", "testStarted", "testEnded")
    house.swift("bad [X-1.1-1]", *kinds)
    assert "X-1.1-1 is red: " in house.faults() and "**red**" in house.page


@pytest.mark.parametrize("outcome", ["<failure/>", "<error/>", "<skipped/>"])
def test_the_same_holds_for_pytest(house, outcome):
    house.rules("X-1.1-1\tone")
    house.pytest("test_it[a]", ["X-1.1-1"])
    house.pytest("test_it[b]", ["X-1.1-1"], outcome)
    assert "X-1.1-1 is red: " in house.faults()


@pytest.mark.parametrize("rules, name, message", [
    (["X-1.1-1\tone"], "nothing", "X-1.1-1 is red: no test proves it"),
    (["X-1.1-1\tone\ta reason"], "a [X-1.1-1]", "X-1.1-1 is red: has the reason \"a reason\" and yet a test"),
    (["X-1.1-1\tone\ta reason"], "a [X-1.1-2]", "there is no rule X-1.1-2"),
    (["X-1.1-1\tone\ta reason"], "a X-1.1-1", "write X-1.1-1 as [X-1.1-1]"),
    (["X-1.1-1\tone\ta reason", "X-1.1-1\tone\ta reason"], "a", "rule X-1.1-1 is listed 2 times"),
    ([f"X-1.1-{n}\trule" for n in range(6)], "a " + " ".join(f"[X-1.1-{n}]" for n in range(6)), "names 6 rules, 5 at most"),
], ids=["no proof", "two proofs", "unknown", "loose", "twice", "six"])
def test_what_is_not_let_pass(house, rules, name, message):
    house.rules(*rules)
    house.swift(name, "testStarted", "testEnded")
    assert message in house.faults()


def test_results_and_rules_must_be_there(house):
    house.rules("X-1.1-1 one")
    assert "expected id, wording and perhaps a reason" in house.run().stderr
    house.rules("X-1.1-1\tone\tno reason needed")
    house.run()
    (house.root / ".build/conformance/peers.xml").unlink()
    answer = subprocess.run([house.root / "scripts/conformance", "--check"], capture_output=True, text=True)
    assert answer.returncode == 1 and "run `make unit peers` first" in answer.stderr
