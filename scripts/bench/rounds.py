"""Interleaves the repeats of all cases, so that a slow minute of the machine affects all of them."""

import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from scripts.bench.cases import Case
from scripts.bench.load import Sample, measure, write_requests
from scripts.bench.servers import Gunicorn, Postgres


@dataclass(frozen=True)
class Pace:
    repeats: int
    seconds: int
    warm_up: int


QUICK, FULL = Pace(repeats=1, seconds=2, warm_up=1), Pace(repeats=3, seconds=4, warm_up=1)


class Target(NamedTuple):
    server: Gunicorn
    case: Case


Samples = dict[str, list[Sample]]
BEFORE = " (before)"
"""The suffix of the names of cases on another checkout of the service."""


def run_rounds(targets: dict[str, Target], database: Postgres, folder: Path, pace: Pace) -> Samples:
    """Samples of each target by its name."""
    files = {
        name: write_requests(folder, str(number), target.case.requests)
        for number, (name, target) in enumerate(targets.items())
    }
    for name, target in targets.items():
        measure(target.server.url, files[name], pace.warm_up, ())
    samples: Samples = defaultdict(list)
    for number in range(pace.repeats):
        for name, target in targets.items():
            sample = measure(
                target.server.url, files[name], pace.seconds, target.server.workers(), database.processes()
            )
            samples[name].append(sample)
            note(f"{number + 1}/{pace.repeats} {name}: {sample.rate:.0f}/s, {sample.refused + sample.broken} errors")
    return dict(samples)


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def median(samples: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    return statistics.median(of(sample) for sample in samples)


def share(samples: Sequence[Sample], others: Sequence[Sample]) -> float:
    """The median of the quotients of each round, which is independent of the machine's drift."""
    return statistics.median(mine.rate / max(other.rate, 1e-9) for mine, other in zip(samples, others, strict=True))


def cpu_share(samples: Sequence[Sample], others: Sequence[Sample]) -> float:
    """The same share by CPU of service and database per request, less sensitive to other processes."""
    pairs = zip(samples, others, strict=True)
    return statistics.median(other.cpu_in_all / max(mine.cpu_in_all, 1e-9) for mine, other in pairs)


class Memory(NamedTuple):
    """MB of one worker, the mean of all."""

    rss: float
    uss: float


def memory_of(workers: Sequence[psutil.Process]) -> Memory:
    infos = [worker.memory_full_info() for worker in workers]
    return Memory(*(statistics.mean(getattr(info, name) for info in infos) / 2**20 for name in ("rss", "uss")))
