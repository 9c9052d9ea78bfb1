import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from shop.jobs import claim_jobs, fail_job, finish_job, release_abandoned_jobs
from shop.models import Job
from sqlalchemy import insert, select, update

from .support import new_tenant


async def queue(sessions, count):
    async with sessions.begin() as session:
        tenant = await new_tenant(session, "acme")
        rows = [{"tenant_id": tenant.id, "kind": "mail", "payload": {"n": n}} for n in range(count)]
        await session.execute(insert(Job), rows)


async def statuses(sessions):
    async with sessions.begin() as session:
        return Counter(await session.scalars(select(Job.status)))


def test_two_open_claims_never_meet_nor_wait(run):
    async def check(sessions):
        await queue(sessions, 10)
        async with sessions.begin() as one, sessions.begin() as two:
            first = await claim_jobs(one, "one", limit=4)
            # Both transactions are open: without SKIP LOCKED this waits for the first for ever.
            second = await asyncio.wait_for(claim_jobs(two, "two", limit=4), timeout=30)
            rest = await claim_jobs(two, "two", limit=4)
        claimed = [job.payload["n"] for job in (*first, *second, *rest)]
        assert claimed == list(range(10))
        assert [len(first), len(second), len(rest)] == [4, 4, 2]
        assert {job.locked_by for job in second} == {"two"}

    run(check)


def test_workers_in_a_race_do_each_job_once(run):
    async def check(sessions):
        await queue(sessions, 60)
        done = []

        async def work(worker):
            while True:
                async with sessions.begin() as session:
                    jobs = await claim_jobs(session, worker, limit=3)
                if not jobs:
                    return
                for job in jobs:
                    done.append(job.id)
                    async with sessions.begin() as session:
                        assert await finish_job(session, worker, job.id)

        await asyncio.gather(*(work(f"worker {n}") for n in range(4)))
        assert len(done) == len(set(done)) == 60
        assert await statuses(sessions) == {"done": 60}

    run(check)


def test_jobs_of_the_future_wait(run):
    async def check(sessions):
        await queue(sessions, 2)
        async with sessions.begin() as session:
            later = datetime.now(UTC) + timedelta(hours=1)
            await session.execute(update(Job).where(Job.payload["n"].as_integer() == 0).values(run_at=later))
        async with sessions.begin() as session:
            assert [job.payload["n"] for job in await claim_jobs(session, "one", limit=5)] == [1]

    run(check)


def test_a_failing_job_is_put_off_and_in_the_end_given_up(run):
    async def check(sessions):
        await queue(sessions, 1)
        waits = []
        for attempt in (1, 2, 3):
            async with sessions.begin() as session:
                (job,) = await claim_jobs(session, "one")
                assert job.attempts == attempt
                assert await fail_job(session, "one", job, most_attempts=3)
            async with sessions.begin() as session:
                job = await session.scalar(select(Job))
                waits.append((job.status, job.run_at > datetime.now(UTC)))
                await session.execute(update(Job).values(run_at=datetime.now(UTC)))
        assert waits[:2] == [("pending", True), ("pending", True)]
        assert waits[2][0] == "failed"
        async with sessions.begin() as session:
            assert await claim_jobs(session, "one") == []

    run(check)


def test_an_abandoned_job_goes_to_another_and_the_late_worker_is_told(run):
    async def check(sessions):
        await queue(sessions, 1)
        async with sessions.begin() as session:
            (job,) = await claim_jobs(session, "dead")
        async with sessions.begin() as session:
            assert await release_abandoned_jobs(session, timedelta(hours=1)) == []
            assert await release_abandoned_jobs(session, timedelta(0)) == [job.id]
        async with sessions.begin() as session:
            assert [job.attempts for job in await claim_jobs(session, "next")] == [2]
            assert not await finish_job(session, "dead", job.id)
            assert await finish_job(session, "next", job.id)

    run(check)
