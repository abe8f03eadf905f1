"""What has to be true after every round."""

import hashlib
import io
import pathlib
import sqlite3
import subprocess
import tempfile
import time

from pydicom import dcmread


def ledger(daemon):
    return sqlite3.connect(f"file:{daemon.state}/ledger.sqlite?mode=ro", uri=True, timeout=60)


def unfinished(daemon):
    """What the daemon has still to do; empty where it rests."""
    queries = {
        "series to assemble": "SELECT count(*) FROM series WHERE assembled_revision < revision",
        "jobs": "SELECT count(*) FROM jobs WHERE state IN ('available', 'running', 'retryable')",
        "deliveries": "SELECT count(*) FROM deliveries WHERE state NOT IN ('delivered', 'superseded', 'held')",
        "associations": "SELECT count(*) FROM associations WHERE ended_at IS NULL",
    }
    with ledger(daemon) as db:
        found = {name: db.execute(query).fetchone()[0] for name, query in queries.items()}
    return {name: count for name, count in found.items() if count}


def wait_until_it_rests(daemon, series, seconds):
    """Until every series is known and has come to its end."""
    deadline = time.monotonic() + seconds
    reason = "the ledger was not readable"
    while time.monotonic() < deadline:
        if len(daemon.ends) > 3:
            return [f"the daemon ends by itself: {daemon.log.read_text(errors='replace')[-1000:]}"]
        try:
            with ledger(daemon) as db:
                known = set(db.execute("SELECT series_uid, state FROM jobs WHERE state IN ('completed', 'held')"))
            missing = {(one.uid, one.end) for one in series} - known
            waiting = unfinished(daemon)
            reason = waiting or (f"{len(missing)} series whose job has not ended" if missing else "")
            if not reason:
                return []
            if not waiting:
                release_interrupted(daemon, {uid for uid, _ in missing})
        except sqlite3.OperationalError as error:
            reason = str(error)
        time.sleep(0.5)
    return [f"not at rest after {seconds} s: {reason}", *unended(daemon)]


def release_interrupted(daemon, series):
    """Releases, as an administrator does, jobs of series that have come to their end at the sender, and are held because
    the ledger could not be written when their association was released, and the process that knew of it was killed."""
    with ledger(daemon) as db:
        held = [number for number, uid in db.execute(
            "SELECT id, series_uid FROM jobs WHERE state = 'held' AND reason LIKE "
            "'the association of % was interrupted when segmentd%'") if uid in series]
    for number in held:
        print(f"(job {number} is released: the end of its association was lost)", end=" ", flush=True)
        daemon.release(number)


def unended(daemon):
    """Jobs that are not completed."""
    with ledger(daemon) as db:
        return [f"job {number} of {series} is {state}: {reason}" for number, series, state, reason in db.execute(
            "SELECT id, series_uid, state, reason FROM jobs WHERE state <> 'completed' ORDER BY id DESC LIMIT 10")]


def hexadecimal(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_reception(daemon, record, db):
    """Acknowledged ⊆ ledger ⊆ disk; refused ⊆ ledger."""
    rows = {}
    for uid, path in db.execute("SELECT sop_uid, spool_path FROM instances ORDER BY id"):
        rows.setdefault(uid, []).append(path)
    for uid, pixels in record.acknowledged.items():
        if uid not in rows:
            yield f"{uid} was acknowledged and is not in the ledger"
        elif not any(pixels in (daemon.state / path).read_bytes() for path in rows[uid]
                     if (daemon.state / path).exists()):
            yield f"{uid} was acknowledged and its pixels are not on disk"
    refused = {uid for (uid,) in db.execute("SELECT sop_uid FROM refused_instances")}
    for uid in record.refused - refused - rows.keys():
        yield f"{uid} was refused and is not in the ledger"
    for path in {path for paths in rows.values() for path in paths}:
        if not (daemon.state / path).exists():
            yield f"{path} is in the ledger and not on disk"


def orphans(daemon, db):
    found = {str(file.relative_to(daemon.state)) for folder in ("spool", "incoming")
             for file in (daemon.state / folder).rglob("*") if file.is_file() and file.stat().st_size}
    return found - {path for (path,) in db.execute("SELECT spool_path FROM instances")}


def check_orphans(daemon, db, seconds=120):
    """No file besides. What a process left that was ended is removed by the checks of the next start, which run
    behind an open port: until then it may be there."""
    deadline = time.monotonic() + seconds
    found = orphans(daemon, db)
    while found and time.monotonic() < deadline:
        time.sleep(0.5)
        found &= orphans(daemon, db)
    return [f"{name} belongs to nothing" for name in found]


def check_results(daemon, db):
    """One current result of each series and model, as it was proved; no file besides."""
    counts = db.execute(
        "SELECT series_uid, model, count(*) FROM jobs JOIN results ON results.job_id = jobs.id "
        "WHERE superseded_by IS NULL AND same_as IS NULL GROUP BY series_uid, model").fetchall()
    for series, model, count in counts:
        if count != 1:
            yield f"{series} has {count} current results of {model}"
    completed = {uid for (uid,) in db.execute("SELECT DISTINCT series_uid FROM jobs WHERE state = 'completed'")}
    for uid in completed - {uid for uid, _, _ in counts}:
        yield f"{uid} is completed and has no current result"
    known = set()
    for path, sha256 in db.execute("SELECT path, sha256 FROM result_objects"):
        known.add(path)
        file = daemon.state / path
        if not file.exists():
            yield f"{path} is in the ledger and not on disk"
        elif sha256 and hexadecimal(file) != sha256:
            yield f"{path} is not what was proved"
    for file in (daemon.state / "results").rglob("*"):
        name = str(file.relative_to(daemon.state))
        # A lost ledger is rebuilt from the note next to a result.
        if file.is_file() and name not in known and file.name != "result.json":
            yield f"{name} belongs to nothing"
    for file in (daemon.state / "checkpoints").glob("*"):
        yield f"{file.relative_to(daemon.state)} is of a job that has ended"


def check_destination(daemon, orthanc, db):
    """It has exactly what was delivered to it, each object once and as it was proved."""
    sent = dict(db.execute(
        "SELECT sop_uid, path FROM result_objects JOIN deliveries USING (job_id) "
        "WHERE deliveries.state = 'delivered' AND sop_uid IS NOT NULL AND destination = ?", (orthanc.name,)))
    current = {uid for (uid,) in db.execute(
        "SELECT sop_uid FROM result_objects JOIN results USING (job_id) "
        "WHERE superseded_by IS NULL AND sop_uid IS NOT NULL")}
    stored = orthanc.segmentations()
    for uid in current - sent.keys():
        yield f"{uid} is a current result and was not delivered to {orthanc.name}"
    uids = [uid for uid, _ in stored]
    for uid in set(uids):
        if uids.count(uid) > 1:
            yield f"{uid} is in {orthanc.name} {uids.count(uid)} times"
    for uid in sent.keys() - set(uids):
        yield f"{uid} was delivered and is not in {orthanc.name}"
    for uid, name in stored:
        if uid not in sent:
            yield f"{uid} is in {orthanc.name} and was not delivered"
        elif dcmread(io.BytesIO(orthanc.get(f"instances/{name}/file"))) != dcmread(daemon.state / sent[uid]):
            yield f"{uid} in {orthanc.name} is not what was proved"


def check_cluster(daemon, seconds=180):
    """No folder of a job is left, as all have ended: they are removed within a minute, or two where Slurm is asked first."""
    deadline = time.monotonic() + seconds
    while daemon.cluster.folders() and time.monotonic() < deadline:
        time.sleep(0.5)
    return [f"{place} is of a job that has ended" for place in daemon.cluster.folders()]


def check_moved(daemon, series, db):
    """What daemon and cluster computed together has the bytes that `segmentd run` makes of the images."""
    folders = {one.uid: one.files for one in series}
    moved = db.execute(
        "SELECT jobs.id, series_uid, path FROM jobs JOIN result_objects ON job_id = jobs.id AND kind = 'seg' "
        "WHERE jobs.id IN (SELECT job_id FROM attempts GROUP BY job_id "
        "HAVING count(submission) BETWEEN 1 AND count(*) - 1)").fetchall()
    for job, uid, path in moved:
        if job in daemon.compared:
            continue
        daemon.compared.add(job)
        with tempfile.TemporaryDirectory() as output:
            made = subprocess.run(
                [daemon.program, "run", "--models", daemon.models, "--model", "untrained-tiny", "--threads", "1",
                 "--output", output, folders[uid]], capture_output=True, text=True)
            files = list(pathlib.Path(output).rglob("segmentation.dcm"))
            if made.returncode != 0 or len(files) != 1:
                yield f"segmentd run on {uid}: {made.stdout}{made.stderr}"
            elif files[0].read_bytes() != (daemon.state / path).read_bytes():
                yield f"job {job} changed over and {path} is not what segmentd run makes"


def executors(daemon):
    """How many jobs were computed by whom, and how many went on from a checkpoint."""
    with ledger(daemon) as db:
        cluster, moved, resumed = (db.execute(query).fetchone()[0] for query in (
            "SELECT count(DISTINCT job_id) FROM attempts WHERE submission IS NOT NULL",
            "SELECT count(*) FROM (SELECT job_id FROM attempts GROUP BY job_id "
            "HAVING count(submission) BETWEEN 1 AND count(*) - 1)",
            "SELECT count(*) FROM events WHERE kind = 'checkpoint' AND message LIKE 'resumes%'"))
    return f"{cluster} jobs with the cluster, {moved} of them with the daemon too, {resumed} resumed from a checkpoint"


def check_ledger(daemon):
    """The ledger's own check, which also looks at the chain of events and the hash of every file."""
    checked = subprocess.run([daemon.program, "ledger", "check", "--config", daemon.configuration], capture_output=True,
                             text=True)
    return [] if checked.returncode == 0 else [f"ledger check: {checked.stdout}{checked.stderr}"]


def check(daemon, destinations, record, series):
    with ledger(daemon) as db:
        findings = [*check_reception(daemon, record, db), *check_orphans(daemon, db), *check_results(daemon, db),
                    *check_moved(daemon, series, db), *check_ledger(daemon)]
        for destination in destinations:
            findings += check_destination(daemon, destination, db)
        states = dict(db.execute(
            "SELECT series_uid, state FROM jobs WHERE id IN (SELECT max(id) FROM jobs GROUP BY series_uid)"))
        no_reason = db.execute("SELECT id FROM jobs WHERE state = 'held' AND ifnull(reason, '') = ''").fetchall()
    findings += [f"series {one.uid} is {states.get(one.uid, 'without a job')} at the end"
                 for one in series if states.get(one.uid) != one.end]
    findings += [f"job {number} is held without a reason" for (number,) in no_reason]
    findings += [f"the daemon ended by itself with status {status}" for status in daemon.ends]
    return findings
