"""Render a model's chat template in a process of its own, with limits on time and memory.

A chat template is a program that comes with a model. Its sandbox keeps it from files and modules, but not from
loops without end and texts without bounds. It is run once per model, and its result is a fixed prompt with slots.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from inbedder_cli.errors import ModelError

SECONDS = 2  # of computation; an ordinary template takes a few milliseconds
WAIT_SECONDS = 30  # including the start of Python on a busy machine
MEGABYTES = 256  # beyond what transformers itself takes
MAX_CHARACTERS = 100_000
HINT = "choose another: --template paper"


def render_chat(template: str, system: str, user: str, tokens: dict[str, str]) -> str:
    """Return the prompt that a chat template makes of two turns, with the turn of the assistant opened.

    :param template: in Jinja's language.
    :param system: the system's turn; it begins the user's turn if the template has none.
    :param user: the user's turn.
    :param tokens: the tokenizer's special tokens by name ("bos_token").
    :return: the prompt.
    :raises ModelError: when the template fails, takes too long, or makes too much.
    """
    task = json.dumps({"template": template, "system": system, "user": user, "tokens": tokens})
    too_much = ModelError(
        f"the chat template of this model takes more than {SECONDS} seconds or {MEGABYTES} MB", hint=HINT
    )
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-P", "-m", __name__],
            input=task.encode(),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(os.path.isabs, sys.path))},
            capture_output=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise too_much from error
    if done.returncode < 0:  # killed by a limit
        raise too_much
    if done.returncode > 0:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ModelError(f"cannot render the chat template of this model: {reason}", hint=HINT)
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise ModelError(f"the chat template of this model is damaged: {answer['error']}", hint=HINT)
    return str(answer["prompt"])


def limit_resources() -> None:
    """Limit what this process may still use: time, memory, no files."""
    with suppress(ImportError):  # Windows: only the time is limited, by the parent
        import resource

        memory = MEGABYTES * 2**20
        with suppress(OSError):
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            memory += pages * resource.getpagesize()
            _lower(resource.RLIMIT_AS, memory)
        used = resource.getrusage(resource.RUSAGE_SELF)
        _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + SECONDS)
        _lower(resource.RLIMIT_FSIZE, 0)
        _lower(resource.RLIMIT_CORE, 0)


def _lower(limit: int, value: int) -> None:
    import resource

    _, most = resource.getrlimit(limit)
    if most != resource.RLIM_INFINITY:
        value = min(value, most)
    resource.setrlimit(limit, (value, value))


def main() -> None:
    """Render the task on stdin, and write the prompt, or what is wrong, to stdout."""
    from transformers.utils.chat_template_utils import render_jinja_template

    task = json.load(sys.stdin)
    system, user = task["system"], task["user"]

    def render(**turns: str) -> str:
        (prompt,), _ = render_jinja_template(
            [[{"role": role, "content": content} for role, content in turns.items()]],
            chat_template=task["template"],
            add_generation_prompt=True,
            **task["tokens"],
        )
        return str(prompt)

    limit_resources()
    try:
        prompt = ""
        with suppress(Exception):  # some templates refuse a system's turn, others lose it
            prompt = render(system=system, user=user)
        if system not in prompt or user not in prompt:
            prompt = render(user=f"{system}\n\n{user}")
        if len(prompt) > MAX_CHARACTERS:
            raise ValueError(f"it makes {len(prompt):,} characters of one question")
        answer = {"prompt": prompt}
    except (Exception, RecursionError, MemoryError) as error:
        answer = {"error": (str(error).strip() or type(error).__name__).splitlines()[0][:300]}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
