"""How long the report takes and how large it is, by number of rows; with --browser also how fast the page draws.

    python benchmarks/report.py                    # 350, 10,000 and 100,000 rows
    python benchmarks/report.py --rows 350 --browser

The texts are those of the sample reviews, each with a number, and the vectors twelve clouds of 576 dimensions. The
page is written twice: as by default, with at most 20,000 rows, and with all rows.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from inbedder_cli import Analysis, ClusterOptions, ReportOptions, analyze, corpus_from_table
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.report.maps import with_maps
from inbedder_cli.report.page import page

SAMPLES = Path(__file__).parent.parent / "sample_data" / "reviews.csv"
HIDDEN_SIZE, CLOUDS = 576, 12


def an_analysis(n_rows: int) -> Analysis:
    """Return the clusters of random vectors."""
    import pyarrow as pa

    with SAMPLES.open(encoding="utf-8", newline="") as file:
        samples = [row for row in csv.DictReader(file) if row["text"].strip()]
    rng = np.random.default_rng(0)
    chosen = [samples[i % len(samples)] for i in range(n_rows)]
    clouds = rng.integers(CLOUDS, size=n_rows)
    vectors = rng.normal(size=(CLOUDS, HIDDEN_SIZE)).astype(np.float32)[clouds]
    vectors += rng.normal(size=vectors.shape).astype(np.float32)
    texts = [f"{row['text']} ({i})" for i, row in enumerate(chosen)]
    table = pa.table({"text": texts, "rating": [row["rating"] for row in chosen]})
    answers = [f"answer {cloud}" for cloud in clouds]
    embeddings = Embeddings(vectors, answers, [RowStatus.ok] * n_rows, instruction="What?", model="random")
    options = ClusterOptions(k=CLOUDS, stability=False, consensus=False)
    corpus = corpus_from_table(table, text="text")
    return analyze(corpus, "What?", embeddings=embeddings, cluster_options=options, baseline=False)


def browse(path: Path) -> str:
    """Return how long a frame, finding the dot below the pointer, a lasso and a word take, in milliseconds."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1280,900"):
        options.add_argument(f"--{argument}")
    options.binary_location = "/usr/bin/chromium"
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        start = time.perf_counter()
        driver.get(path.as_uri())
        while not driver.execute_script("return Boolean(window.report)"):
            time.sleep(0.02)
        opened = time.perf_counter() - start
        steps = {
            "frame": "report.map.draw()",
            "hover": "report.map.nearest(300, 200)",
            "lasso": "report.map.inside(Array.from({length: 100}, (_, i) => "
            "[5000 + 3000 * Math.cos(i / 16), 5000 + 3000 * Math.sin(i / 16)]))",
            "word": "report.words = patterns('refund'); report.update()",
        }
        measured = []
        for name, step in steps.items():
            timed = f"const t = performance.now(); {step}; return performance.now() - t"
            measured.append(f"{name} {min(driver.execute_script(timed) for _ in range(5)):.0f} ms")
        return f"opened in {opened:.1f} s, " + ", ".join(measured)
    finally:
        driver.quit()


def main() -> None:
    """Print a line for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[350, 10_000, 100_000])
    parser.add_argument("--browser", action="store_true")
    arguments = parser.parse_args()
    for n_rows in arguments.rows:
        analysis = an_analysis(n_rows)
        start = time.process_time()
        analysis = with_maps(replace(analysis, columns=()))
        mapped = time.process_time() - start
        for limit in dict.fromkeys([ReportOptions.rows, 0]):
            start = time.process_time()
            content = page(analysis, ReportOptions(rows=limit))
            written = time.process_time() - start
            print(
                f"{n_rows:>7,} rows, {limit or 'all':>6} shown: map {mapped:.1f} s, page {written:.1f} s, "
                f"{len(content) / 1e6:.2f} MB",
                flush=True,
            )
            if arguments.browser:
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "report.html"
                    path.write_bytes(content)
                    print(f"        {browse(path)}", flush=True)
            if n_rows <= ReportOptions.rows:
                break


if __name__ == "__main__":
    main()
