"""The job queue: a table, and workers that never wait for one another.

A job is pending, running, done or failed. A worker claims in one short transaction, works outside of any, and
reports in a third; the row of a worker that died is released after a while, so a job can run twice and has to
bear it.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shop.models import Job


async def claim_jobs(session: AsyncSession, worker: str, limit: int = 1) -> Sequence[Job]:
    """Take up to ``limit`` jobs that are due, oldest first; no other worker gets them.

    SKIP LOCKED passes over the rows that another worker is taking at this moment, instead of waiting for it. The
    choice stands in a CTE of its own, which runs once: as ``id IN (SELECT ... LIMIT n FOR UPDATE)`` the planner
    may run it once a row and take more than ``n``. Locks: ROW SHARE and ROW EXCLUSIVE on the table, the rows
    until the caller's commit. Source: PostgreSQL, "SELECT", section "The Locking Clause", and "WITH Queries".
    """
    due = (
        select(Job.id)
        .where(Job.status == "pending", Job.run_at <= func.now())
        .order_by(Job.run_at, Job.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    statement = (
        update(Job)
        .where(Job.id == due.c.id)
        .values(status="running", locked_by=worker, locked_at=func.now(), attempts=Job.attempts + 1)
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    claimed = await session.scalars(statement)
    return sorted(claimed, key=lambda job: (job.run_at, job.id))


async def finish_job(session: AsyncSession, worker: str, job_id: int) -> bool:
    """Mark a job done; False when it is not this worker's any more (released as abandoned, taken by another)."""
    return await _release(session, worker, job_id, status="done")


async def fail_job(session: AsyncSession, worker: str, job: Job, *, most_attempts: int = 5) -> bool:
    """Give a job back to be tried again, each time after twice as long, or mark it failed after the last attempt.

    False when it is not this worker's any more. The wait grows so that an outage elsewhere is not answered with
    a storm of repetitions.
    """
    if job.attempts >= most_attempts:
        return await _release(session, worker, job.id, status="failed")
    delay = timedelta(seconds=2**job.attempts)
    return await _release(session, worker, job.id, status="pending", run_at=func.now() + delay)


async def _release(session: AsyncSession, worker: str, job_id: int, **values: object) -> bool:
    statement = (
        update(Job)
        .where(Job.id == job_id, Job.status == "running", Job.locked_by == worker)
        .values(locked_by=None, locked_at=None, **values)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return await session.scalar(statement) is not None


async def release_abandoned_jobs(session: AsyncSession, older_than: timedelta) -> Sequence[int]:
    """Make pending again what workers took and never reported; the ids.

    ``older_than`` has to exceed the longest job. SKIP LOCKED again: a worker that reports at this very moment
    wins, and nobody waits.
    """
    abandoned = (
        select(Job.id)
        .where(Job.status == "running", Job.locked_at < func.now() - older_than)
        .with_for_update(skip_locked=True)
        .cte("abandoned")
    )
    statement = (
        update(Job)
        .where(Job.id == abandoned.c.id)
        .values(status="pending", locked_by=None, locked_at=None)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(statement)).all()
