"""Measures whether an encoder follows instructions: suites of tasks, protocols, metrics and baselines.

from inbedder_cli.evaluation.models_under_test import model_under_test
from inbedder_cli.evaluation.runner import evaluate
from inbedder_cli.evaluation.settings import EvaluateOptions
from inbedder_cli.evaluation.suites import read_folder

evaluation = evaluate(read_folder("my-suite"), [model_under_test("smollm2-135m")], EvaluateOptions(limit=200))
for result in evaluation.results:
    print(result.name, result.instruction, result.value("mean V-measure"))
"""
