"""Keep transformers off the user's screen."""

from __future__ import annotations

import os
import warnings


def quiet_transformers() -> None:
    """Keep transformers' bars, advice and future warnings from the user's screen."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
