"""Whether an encoder follows instructions: suites of tasks, protocols, metrics, baselines.

from inbedder_cli.evaluation.models_under_test import contestant_named
from inbedder_cli.evaluation.settings import EvaluateOptions
from inbedder_cli.evaluation.runner import evaluate
from inbedder_cli.evaluation.suites import read_folder

result = evaluate(read_folder("my-suite"), [contestant_named("smollm2-135m")], EvaluateOptions(limit=200))
for column in result.columns:
    print(column.name, column.value("mean V-measure"))
"""
