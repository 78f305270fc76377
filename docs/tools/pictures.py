"""Draw the pictures of README and docs from the sample data, with the bundled encoder.

    python -m docs.tools.pictures     # part of make docs-outputs

The picture of the report needs chromium on the path; without it, that one stays as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from docs.tools.blocks import ROOT
from docs.tools.outputs import ENVIRONMENT

QUESTION = "What emotion is expressed?"
SIZE = (1280, 1500)  # pixels of the window


def main() -> None:
    """Draw docs/reviews.png and docs/report.png."""
    with tempfile.TemporaryDirectory() as name:
        report, plot = Path(name) / "report.html", ROOT / "docs" / "reviews.png"
        command = [sys.executable, "-m", "inbedder_cli", "cluster", "sample_data/reviews.csv", "--id", "id"]
        command += ["-i", QUESTION, "-k", "8", "--by", "rating", "--force", "-q", "--plot", str(plot)]
        command += ["--report", str(report), "-o", str(Path(name) / "rows.csv")]
        subprocess.run(command, cwd=ROOT, env=os.environ | ENVIRONMENT, check=True)
        browser = shutil.which("chromium")
        if browser is None:
            print("no chromium: docs/report.png stays as it is", file=sys.stderr)
            return
        window = f"--window-size={SIZE[0]},{SIZE[1]}"
        picture = f"--screenshot={ROOT / 'docs' / 'report.png'}"
        flags = ["--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=8000", window, picture]
        subprocess.run([browser, *flags, report.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main()
