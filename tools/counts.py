"""Adds up what pytest counted in several runs: `tools/counts.py FOLDER` reads the JUnit files in it."""

import sys
from pathlib import Path
from xml.etree import ElementTree


def counted(file: Path) -> tuple[int, int, int]:
    """Give how many tests of a run passed, failed and were skipped; an error beside a test is a failure."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(file).iter("testcase"):  # noqa: S314 - pytest wrote it
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            failed += 1
        elif "skipped" in outcomes:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main(folder: str) -> None:
    """Print one line for all runs."""
    runs = [counted(file) for file in sorted(Path(folder).glob("*.xml"))]
    passed, failed, skipped = (sum(column) for column in zip(*runs, strict=True)) if runs else (0, 0, 0)
    sys.stdout.write(f"{passed} passed, {failed} failed, {skipped} skipped\n")


if __name__ == "__main__":
    main(sys.argv[1])
