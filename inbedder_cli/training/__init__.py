"""Trains encoders from questions and short answers: the recipe of InBedder, section 3.1, and our own.

from pathlib import Path

from inbedder_cli.training.recipes import Recipe, TrainFiles, train_options
from inbedder_cli.training.workflow import train

train(TrainFiles(("qa.jsonl",), Path("my-encoder")), train_options(Recipe.contrast), "smollm2-135m")
"""
