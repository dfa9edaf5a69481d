"""Writes the figures of a run as Markdown and as JSON."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.bench.cases import FLOOR_C_ITEM, FLOOR_C_LIST, Case
from scripts.bench.hotspots import Hotspots
from scripts.bench.load import Sample
from scripts.bench.rounds import BEFORE, Memory, Samples, cpu_share, median, share
from scripts.bench.workers import Hanging

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


@dataclass
class Findings:
    """All results of a run; skipped parts are empty."""

    machine: dict[str, str] = field(default_factory=dict)
    groups: list[tuple[list[Case], Samples]] = field(default_factory=list)
    singles: dict[str, float] = field(default_factory=dict)
    plans: dict[str, str] = field(default_factory=dict)
    workers: Samples = field(default_factory=dict)
    workers_memory: dict[str, Memory] = field(default_factory=dict)
    hanging: dict[str, Hanging] = field(default_factory=dict)
    hotspots: dict[str, Hotspots] = field(default_factory=dict)


def write(findings: Findings, path: Path) -> None:
    """Write JSON to a .json file, else Markdown, between the two marks if the file has them."""
    if path.suffix == ".json":
        path.write_text(json.dumps(as_json(findings), indent=1) + "\n")
        return
    text = markdown(findings)
    old = path.read_text() if path.exists() else ""
    if BEGIN in old and END in old:
        text = f"{old.partition(BEGIN)[0]}{BEGIN}\n{text}{END}{old.partition(END)[2]}"
    path.write_text(text)


def as_json(findings: Findings) -> dict[str, Any]:
    cases = {
        case.name: [asdict(sample) | {"rate": sample.rate} for sample in samples[case.name]]
        for group, samples in findings.groups
        for case in group
    }
    return {
        "machine": findings.machine,
        "cases": cases,
        "singles": findings.singles,
        "plans": findings.plans,
        "workers": {name: [asdict(sample) for sample in samples] for name, samples in findings.workers.items()},
        "workers_memory": {name: memory._asdict() for name, memory in findings.workers_memory.items()},
        "hanging": {name: asdict(hanging) for name, hanging in findings.hanging.items()},
        "hotspots": {name: asdict(hotspots) for name, hotspots in findings.hotspots.items()},
    }


def markdown(findings: Findings) -> str:
    parts = [_list(findings.machine)]
    for cases, samples in findings.groups:
        parts.append(_cases(cases, samples))
        if any(name.endswith(BEFORE) for name in samples):
            parts.append(_before(cases, samples))
    if findings.singles:
        parts.append(_table(("measure", "value"), ((name, f"{value:.3g}") for name, value in findings.singles.items())))
    if findings.plans:
        parts.append(_table(("needle", "scan, as the service's role"), findings.plans.items()))
    if findings.workers:
        parts.append(_workers(findings))
    if findings.hanging:
        parts.append(_hanging(findings.hanging))
    parts += [_hotspots(name, hotspots) for name, hotspots in findings.hotspots.items()]
    return "\n\n".join(parts) + "\n"


def _list(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cases(cases: Sequence[Case], samples: Samples) -> str:
    head = (
        "case",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "CPU ms: service",
        "CPU ms: database",
        "of floor c",
        "by CPU",
        "aim",
        "errors",
    )
    return _table(head, (_row(case, samples) for case in cases))


def _before(cases: Sequence[Case], samples: Samples) -> str:
    """CPU of service and database per request beside the same case of another checkout."""
    head = ("case", "CPU ms", "CPU ms before", "ratio")
    pairs = [(case.name, samples[case.name], samples[case.name + BEFORE]) for case in cases if not case.is_floor]
    return _table(head, (_before_row(name, now, before) for name, now, before in pairs))


def _before_row(name: str, now: Sequence[Sample], before: Sequence[Sample]) -> tuple[str, ...]:
    cpu = [f"{median(samples, lambda sample: sample.cpu_in_all):.2f}" for samples in (now, before)]
    return (name, *cpu, f"{cpu_share(before, now):.2f}")


def _row(case: Case, samples: Samples) -> tuple[str, ...]:
    own = samples[case.name]
    return (
        case.name,
        f"{median(own, lambda sample: sample.rate):,.0f}",
        f"{median(own, lambda sample: sample.p50):.1f}",
        f"{median(own, lambda sample: sample.p99):.1f}",
        f"{median(own, lambda sample: sample.cpu):.2f}",
        f"{median(own, lambda sample: sample.database_cpu):.2f}",
        _of_floor(case, samples, share),
        _of_floor(case, samples, cpu_share),
        _aim(case, samples),
        str(sum(sample.refused + sample.broken for sample in own)),
    )


def _of_floor(case: Case, samples: Samples, part: Callable[[Sequence[Sample], Sequence[Sample]], float]) -> str:
    is_list = any(word in case.name for word in ("list", "page", "search"))
    floor = samples.get(FLOOR_C_LIST if is_list else FLOOR_C_ITEM)
    return "" if case.is_floor or not floor else f"{part(samples[case.name], floor):.0%}"


def _aim(case: Case, samples: Samples) -> str:
    if not case.aim:
        return ""
    reached = share(samples[case.name], samples[case.against])
    verdict = "met" if reached >= case.aim else "missed"
    return f"{verdict}: {reached:.0%} of “{case.against}”, at least {case.aim:.0%}"


def _workers(findings: Findings) -> str:
    head = (
        "workers",
        "item/s",
        "item p99 ms",
        "list of 50/s",
        "list p99 ms",
        "CPU ms: item",
        "RSS MB of one",
        "errors",
    )
    return _table(head, (_workers_row(name, findings) for name in findings.workers_memory))


def _workers_row(name: str, findings: Findings) -> tuple[str, ...]:
    item, page = findings.workers[f"{name}: item"], findings.workers[f"{name}: list of 50"]
    return (
        name,
        f"{median(item, lambda sample: sample.rate):,.0f}",
        f"{median(item, lambda sample: sample.p99):.1f}",
        f"{median(page, lambda sample: sample.rate):,.0f}",
        f"{median(page, lambda sample: sample.p99):.1f}",
        f"{median(item, lambda sample: sample.cpu):.2f}",
        f"{findings.workers_memory[name].rss:.0f}",
        str(sum(sample.refused + sample.broken for sample in (*item, *page))),
    )


def _hanging(hanging: Mapping[str, Hanging]) -> str:
    head = (
        "engine hangs", "/health p50 ms", "worst", "/auth/verify p50 ms", "worst", "probes failed",
        "refusals/s", "their p50 ms", "broken",
    )  # fmt: skip
    return _table(head, (_hanging_row(name, times) for name, times in hanging.items()))


def _hanging_row(name: str, hanging: Hanging) -> tuple[str, ...]:
    load: Sample = hanging.load
    times = (hanging.health_p50, hanging.health_worst, hanging.verify_p50, hanging.verify_worst)
    return (
        name,
        *(f"{value:.0f}" for value in times),
        str(hanging.probes_failed),
        f"{load.refused / load.seconds:.0f}",
        f"{load.p50:.0f}",
        str(load.broken),
    )


def _hotspots(name: str, hotspots: Hotspots) -> str:
    tables = (
        ("innermost function of the service", hotspots.regions),
        ("below a function of the service", hotspots.spent_below),
        ("innermost package", hotspots.libraries),
    )
    texts = (_table((head, "share"), ((place, f"{part:.1%}") for place, part in rows)) for head, rows in tables)
    return f"Profile: {name}\n\n" + "\n\n".join(texts)
