"""The engine: jobs in order, in groups that are answered when they are durable."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from p2pcommons.node import engine as engine_module
from p2pcommons.node.engine import Engine


class Ledger:
    """What happened in the engine's thread."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.fails = False

    @contextmanager
    def together(self) -> Iterator[None]:
        self.lines.append("(")
        yield
        self.lines.append(")")
        if self.fails:
            raise OSError("the disk is full")

    def write(self, line: str) -> str:
        self.lines.append(line)
        return line


@contextmanager
def held(engine: Engine) -> Iterator[list[asyncio.Task[object]]]:
    """Within it, jobs pile up behind one that waits."""
    begun, begin = threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return begin.wait()

    tasks: list[asyncio.Task[object]] = [asyncio.create_task(engine.run(wait))]
    try:
        yield tasks
        begun.wait()
    finally:
        begin.set()


async def piled(engine: Engine, count: int) -> None:
    """Until so many jobs were handed over: each task does so at its first step."""
    for _ in range(2):
        await asyncio.sleep(0)
    assert engine.jobs == count


async def test_jobs_that_wait_are_one_group_and_are_answered_when_it_ended() -> None:
    ledger = Ledger()
    engine = Engine(ledger.together, lambda: ledger.lines.append("after"))
    told: list[str] = []

    async def ask(line: str) -> None:
        told.append(await engine.run(lambda: ledger.write(line), for_peer=True))
        assert ledger.lines.count("(") == ledger.lines.count(")")

    try:
        with held(engine) as tasks:
            tasks += [asyncio.create_task(ask(line)) for line in "abc"]
            await piled(engine, len(tasks))
        await asyncio.gather(*tasks)
        await ask("d")
    finally:
        engine.close()
    assert ledger.lines == ["after", "(", "a", "b", "c", ")", "after", "(", "d", ")", "after"]
    assert told == ["a", "b", "c", "d"]


async def test_a_persons_job_goes_next_into_a_group_and_ends_it() -> None:
    ledger = Ledger()
    engine = Engine(ledger.together)
    try:
        with held(engine) as tasks:
            tasks += [asyncio.create_task(engine.run(lambda n=n: ledger.write(n), for_peer=True)) for n in "ab"]  # type: ignore[misc]
            tasks += [asyncio.create_task(engine.run(lambda n=n: ledger.write(n), joins=True)) for n in "xy"]  # type: ignore[misc]
            tasks += [asyncio.create_task(engine.run(lambda: ledger.write("alone")))]
            await piled(engine, len(tasks))
        await asyncio.gather(*tasks)
    finally:
        engine.close()
    assert ledger.lines == ["(", "x", "y", ")", "alone", "(", "a", "b", ")"]


async def test_what_one_job_raises_is_its_own_answer() -> None:
    ledger = Ledger()
    engine = Engine(ledger.together)

    def fail() -> None:
        raise ValueError("not this one")

    try:
        with held(engine) as tasks:
            tasks += [asyncio.create_task(engine.run(lambda: ledger.write("a"), for_peer=True))]
            tasks += [asyncio.create_task(engine.run(fail, for_peer=True))]
            tasks += [asyncio.create_task(engine.run(lambda: ledger.write("b"), for_peer=True))]
            await piled(engine, len(tasks))
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        engine.close()
    assert answers[1] == "a" and answers[3] == "b" and isinstance(answers[2], ValueError)
    assert ledger.lines == ["(", "a", "b", ")"]


async def test_a_group_that_is_not_kept_answers_none_of_its_jobs_well_and_the_next_one_goes_on() -> None:
    ledger = Ledger()
    engine = Engine(ledger.together)
    try:
        with held(engine) as tasks:
            ledger.fails = True
            tasks += [asyncio.create_task(engine.run(lambda: ledger.write("a"), for_peer=True)) for _ in range(3)]
            await piled(engine, len(tasks))
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, OSError) for answer in answers[1:])
        ledger.fails = False
        assert await engine.run(lambda: ledger.write("b"), for_peer=True) == "b"
    finally:
        engine.close()


async def test_the_patient_wait_after_a_long_group_and_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(engine_module, "monotonic", lambda: now)
    ledger = Ledger()
    engine = Engine(ledger.together)

    def long() -> None:
        nonlocal now
        now += 0.015
        ledger.write("long")

    try:
        with held(engine) as tasks:
            tasks += [asyncio.create_task(engine.run(job, for_peer=True, patient=True)) for job in (int, long)]
            await piled(engine, 3)
        await asyncio.gather(*tasks)
        late = [asyncio.create_task(engine.run(lambda n=n: ledger.write(n), for_peer=True, patient=True)) for n in "ab"]  # type: ignore[misc]
        await piled(engine, len(late))
        assert await engine.run(lambda: ledger.write("own"), joins=True) == "own"
        assert await engine.run(lambda: ledger.write("peer"), for_peer=True) == "peer"
        assert not any(task.done() for task in late)
        now += 0.2
        assert await asyncio.gather(*late) == ["a", "b"]
    finally:
        engine.close()
    assert ledger.lines == ["(", "long", ")", "(", "own", ")", "(", "peer", ")", "(", "a", "b", ")"]


async def test_who_comes_alone_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(engine_module, "monotonic", lambda: now)
    engine = Engine()

    def long() -> bool:
        nonlocal now
        now += 0.1
        return True

    try:
        for _ in range(5):
            assert await engine.run(long, for_peer=True, patient=True)
    finally:
        engine.close()


async def test_who_waits_when_it_closes_is_cancelled() -> None:
    engine = Engine()
    with held(engine) as tasks:
        await piled(engine, 1)
    late = [asyncio.create_task(engine.run(lambda: 1, for_peer=True, patient=True)) for _ in range(2)]
    late[0].cancel()
    engine.close()
    answers = await asyncio.gather(*tasks, *late, return_exceptions=True)
    assert answers[0] is True
    assert isinstance(answers[1], asyncio.CancelledError) and isinstance(answers[2], RuntimeError)


async def test_the_late_have_a_small_share_of_the_time_while_there_is_other_work_and_all_of_it_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(engine_module, "monotonic", lambda: now)
    ledger = Ledger()
    engine = Engine(ledger.together)

    def costs() -> None:
        nonlocal now
        now += 0.01
        ledger.write("late")

    def works() -> None:
        nonlocal now
        now += 0.03
        ledger.write("work")

    try:
        with held(engine) as tasks:
            tasks += [asyncio.create_task(engine.run(costs, late=True)) for _ in range(3)]
            tasks += [asyncio.create_task(engine.run(works)) for _ in range(4)]
            await piled(engine, len(tasks))
        await asyncio.gather(*tasks[-4:])
        first, *late = tasks[1:4]
        await first
        assert ledger.lines == ["work"] * 4 + ["late"], "what is late comes last"
        now += 0.2
        await engine.run(lambda: ledger.write("work"))
        assert ledger.lines.count("late") == 1, "many times as long as it took it waits"
        now += 0.05
        await late[0]
        assert ledger.lines.count("late") == 2
        now += 1.0  # nothing else was asked for since
        await late[1]
    finally:
        engine.close()


async def test_what_is_said_meanwhile_and_after_comes_before_the_answers_and_one_wake_brings_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    engine = Engine(after=lambda: engine.say(told.append, "after"))

    def job() -> str:
        engine.say(told.append, "said")
        return "answer"

    wakes: list[object] = []
    loop = asyncio.get_running_loop()
    wake = loop.call_soon_threadsafe

    def counted(word: Callable[..., object], *arguments: object) -> asyncio.Handle:
        wakes.append(word)
        return wake(word, *arguments)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    try:
        told.append(await engine.run(job, for_peer=True))
    finally:
        engine.close()
    await asyncio.sleep(0)
    assert told == ["said", "after", "answer"] and len(wakes) == 1


async def test_a_word_that_fails_keeps_no_answer_from_being_heard() -> None:
    engine = Engine()
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def fail() -> None:
        raise ValueError("a listener is broken")

    try:
        await engine.run(lambda: engine.say(fail))
    finally:
        engine.close()
    assert isinstance(complaints[0]["exception"], ValueError)
