"""The command scripts/fuzz: its runs, files, output and exit code."""

from argparse import Namespace
from pathlib import Path

import pytest

from scripts import fuzz

from .fuzzer import Finding
from .planted import nothing, rare_error
from .target import Target

RARE = b"\xcb\x7d\xb9"


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Use two small targets and a temporary folder."""
    targets = {
        name: Target(name=name, execute=execute, seeds=lambda: [b"seed"])
        for name, execute in (("clean", nothing), ("rare", rare_error))
    }
    monkeypatch.setattr(fuzz, "TARGETS", targets)
    monkeypatch.setattr(fuzz, "ROOT", tmp_path)
    monkeypatch.setattr(fuzz, "KEPT", tmp_path / "fuzz")


@pytest.mark.parametrize(
    ("file", "data", "result"),
    [("rare-error-1", RARE, 1), ("rare-error-1", b"x", 0), ("clean/x.bin", RARE, 0)],
    ids=["fault", "no fault any more", "another target"],
)
def test_saved_input_runs_again(
    tmp_path: Path, file: str, data: bytes, result: int
) -> None:
    """The name of the file or of its folder selects the target."""
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    options = Namespace(inputs=[path], target=None)
    assert fuzz.replay(options) == result


def test_finding_is_saved_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The output contains a command that repeats it."""
    finding = Finding(target="rare", kind="error", key="x", detail="y", data=RARE)
    fuzz.print_finding(finding)
    printed = capsys.readouterr().out
    assert f"Repeat with: scripts/fuzz fuzz/{finding.name}" in printed
    assert (fuzz.KEPT / finding.name).read_bytes() == RARE


@pytest.mark.parametrize(
    ("target", "names"), [(None, ["clean", "rare"]), ("rare", ["rare"])], ids=str
)
def test_targets_share_the_time(target: str | None, names: list[str]) -> None:
    """Each job runs all of them with a different seed."""
    options = Namespace(target=target, jobs=2, seed=7, minutes=1, executions=None)
    work = list(fuzz.slices(options))
    assert [piece.target for piece in work] == [
        name for name in names for _ in range(2)
    ]
    assert sum(piece.seconds for piece in work) == pytest.approx(2 * 60)
    assert {piece.seed for piece in work} == {"7-0", "7-1"}
    assert not any(piece.uses_kept for piece in work)


@pytest.mark.parametrize("uses_kept", [False, True], ids=["with seed", "without"])
def test_inputs_are_kept_for_the_next_run(uses_kept: bool) -> None:
    """A run with a seed starts from the same inputs and keeps none."""
    corpus = fuzz.KEPT / "corpus" / "rare"
    corpus.mkdir(parents=True)
    (corpus / "before").write_bytes(RARE)
    work = fuzz.Slice(
        target="rare", seed="1", seconds=0, executions=50, uses_kept=uses_kept
    )
    report = fuzz.fuzz(work)
    assert bool(report.findings) == uses_kept
    assert report.executions == 50
