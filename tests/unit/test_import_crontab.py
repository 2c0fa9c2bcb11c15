"""What lines of crontabs become."""

from __future__ import annotations

import random
import shlex
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elephant_worker.imports import crontab, pg_cron, pg_timetable, pgagent, shell
from elephant_worker.imports.planned import Caller, Planned
from elephant_worker.imports.target import Elsewhere, parameters_of
from harness.waiting import ends_within

FILES = {
    "/srv/nightly.sql": {"content": "\\set ON_ERROR_STOP on\n-- all of it\nSELECT 1;\nSELECT 2;\n"},
    "/srv/vacuum.sql": {"content": "VACUUM;\n-- done\n"},
    "/srv/both.sql": {"content": "SELECT 1;\nVACUUM ANALYZE;\n"},
    "/srv/ask.sql": {"content": "SELECT :'day'::date"},
    "/srv/export.sql": {"content": "\\copy a to 'a.csv'\n"},
    "/srv/secret.sql": {"error": "permission denied for function pg_read_file"},
}


def plan(text: str, **others: Any) -> list[Planned]:
    files = {path: FILES.get(path, {"error": "there is no such file"}) for path in crontab.files_of(text)["files"]}
    given = {"crontab": text, "datname": None, "timezone": "UTC", "port": "5432", "files": files, **others}
    return crontab.plan(given, Caller("me", "control"))


def jobs(text: str, **others: Any) -> list[dict[str, Any]]:
    return [planned.definition for planned in plan(text, **others) if not planned.left_out]


def only(command: str, **others: Any) -> dict[str, Any]:
    (job,) = jobs(f"0 4 * * * {command}", **others)
    return job


def reason(command: str) -> str:
    (planned,) = plan(f"0 4 * * * {command}")
    assert planned.left_out, planned
    assert planned.schedule_before == "0 4 * * *"
    return planned.notes[-1]


# The command of a line, and command, database and role of the job.
COMMANDS = [
    ("psql -c 'CALL refresh()'", "CALL refresh()", "me", "me"),
    ("/usr/bin/psql shop -c 'SELECT 1; SELECT 2' >/dev/null 2>&1", "SELECT 1; SELECT 2", "shop", "me"),
    ("psql shop -c 'SELECT 1'", "SELECT 1", "shop", "me"),
    ("psql shop app -c 'SELECT 1'", "SELECT 1", "shop", "app"),
    ("psql -qXAt -U app -dshop --command='SELECT 1'", "SELECT 1", "shop", "app"),
    ("psql --user app --db shop --com 'SELECT 1'", "SELECT 1", "shop", "app"),
    ("psql -U app -c 'SELECT 1'", "SELECT 1", "app", "app"),
    ('psql -d shop -c "SELECT \\"Id\\" FROM t WHERE a = \'x\'"', "SELECT \"Id\" FROM t WHERE a = 'x'", "shop", "me"),
    ("psql -d shop -c 'SELECT '\\''a'\\'", "SELECT 'a'", "shop", "me"),
    ("psql shop -c 'DO $$ BEGIN PERFORM 1; END $$'", "DO $$ BEGIN PERFORM 1; END $$", "shop", "me"),
    ('psql shop -c "SELECT \'costs 5$\'"', "SELECT 'costs 5$'", "shop", "me"),
    ("psql shop -c \"SELECT 'a\\$b'\"", "SELECT 'a$b'", "shop", "me"),
    ("psql shop -c 'SELECT count(*) FROM t -- # | > & ;'", "SELECT count(*) FROM t -- # | > & ;", "shop", "me"),
    ("psql shop -c 'SELECT 10 \\% 3'", "SELECT 10 % 3", "shop", "me"),
    ("psql shop%SELECT 1;%SELECT 2;", "SELECT 1;\nSELECT 2;", "shop", "me"),
    ("psql -f /srv/nightly.sql shop", "-- all of it\nSELECT 1;\nSELECT 2;", "shop", "me"),
    ("psql -Xqf/srv/nightly.sql shop", "-- all of it\nSELECT 1;\nSELECT 2;", "shop", "me"),
    ("psql shop < /srv/nightly.sql", "-- all of it\nSELECT 1;\nSELECT 2;", "shop", "me"),
    ("cat /srv/nightly.sql | psql shop", "-- all of it\nSELECT 1;\nSELECT 2;", "shop", "me"),
    ("cd /srv && psql shop --file nightly.sql >> nightly.log 2>&1", "-- all of it\nSELECT 1;\nSELECT 2;", "shop", "me"),
    ("cd /srv && psql --fil=nightly.sql shop", "-- all of it\nSELECT 1;\nSELECT 2;", "shop", "me"),
    ("psql shop -f /srv/vacuum.sql", "VACUUM;\n-- done", "shop", "me"),
    ("echo 'SELECT 1' | psql shop", "SELECT 1", "shop", "me"),
    ("psql 'postgresql://app:geheim@localhost:5432/shop' -c 'SELECT 1'", "SELECT 1", "shop", "app"),
    ("psql postgres:///shop?user=app -c 'SELECT 1'", "SELECT 1", "shop", "app"),
    ("psql 'host=/var/run/postgresql dbname=shop user=app' -c 'SELECT 1'", "SELECT 1", "shop", "app"),
    ("psql -h 127.0.0.1 -p 5432 shop -c 'SELECT 1'", "SELECT 1", "shop", "me"),
    ("PGDATABASE=shop PGUSER=app psql -c 'SELECT 1'", "SELECT 1", "shop", "app"),
    ("PGUSER=app; PGDATABASE=shop; psql -c 'SELECT 1'", "SELECT 1", "shop", "app"),
    ("env PGDATABASE=shop nice -n 19 ionice -c3 psql -c 'SELECT 1'", "SELECT 1", "shop", "me"),
    ("sudo -u postgres psql shop -c 'SELECT 1'", "SELECT 1", "shop", "postgres"),
    ("su - postgres -c \"psql shop -c 'SELECT 1'\"", "SELECT 1", "shop", "postgres"),
    ("sh -c \"psql shop -c 'SELECT 1'\"", "SELECT 1", "shop", "me"),
    ("flock -n /run/lock/x psql shop -c 'SELECT 1'", "SELECT 1", "shop", "me"),
    ("flock -n /run/lock/x -c \"psql shop -c 'SELECT 1'\"", "SELECT 1", "shop", "me"),
    ("[ -x /usr/bin/psql ] && psql shop -c 'SELECT 1'", "SELECT 1", "shop", "me"),
    ("psql shop -c 'SELECT a()' -c 'SELECT b()'", "SELECT a()\n;\nSELECT b()", "shop", "me"),
    ("psql -1 -c 'SELECT a()' -f /srv/vacuum.sql shop", "SELECT a()\n;\nVACUUM;\n-- done", "shop", "me"),
    ("vacuumdb shop", "VACUUM", "shop", "me"),
    ("vacuumdb -z -v -d shop -j 4", "VACUUM (ANALYZE, VERBOSE)", "shop", "me"),
    ("vacuumdb -Z --dbname=shop -t a.orders -t 'items(price)'", "ANALYZE a.orders, items(price)", "shop", "me"),
    ("vacuumdb --full --freeze -U app shop", "VACUUM (FULL, FREEZE)", "shop", "app"),
    ("vacuumdb -P 2 --no-index-cleanup shop", "VACUUM (PARALLEL 2, INDEX_CLEANUP off)", "shop", "me"),
    ("reindexdb shop", 'REINDEX DATABASE "shop"', "shop", "me"),
    ("reindexdb --concurrently -t orders shop", "REINDEX TABLE CONCURRENTLY orders", "shop", "me"),
    ("reindexdb -s -d shop", 'REINDEX SYSTEM "shop"', "shop", "me"),
    ("reindexdb -v -S sales shop", "REINDEX (VERBOSE) SCHEMA sales", "shop", "me"),
    ("reindexdb -i 'My Index' shop".replace("My Index", '"My Index"'), 'REINDEX INDEX "My Index"', "shop", "me"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "command", "database", "role"), COMMANDS)
def test_commands(line: str, command: str, database: str, role: str) -> None:
    job = only(line)
    assert (job["job_command"], job["datname"], job["rolname"]) == (command, database, role)
    assert job["schedule"] == "0 4 * * *"


REASONS = {
    "/usr/local/bin/backup.sh": "It runs backup.sh, which is not SQL.",
    "pg_dump shop > /backup/shop.sql": "It runs pg_dump, which is not SQL.",
    "cd / && run-parts --report /etc/cron.hourly": "It runs run-parts, which is not SQL.",
    "psql shop -c 'SELECT 1' | mail -s report dba": "What psql prints goes to mail.",
    "gzip -dc /a.gz | psql shop": "It runs gzip, which is not SQL.",
    "psql shop -c 'SELECT 1' && curl https://example.com": "It runs curl, which is not SQL.",
    "psql shop -c 'SELECT 1' || echo failed": "What follows || has to be the on_failure_command of a job.",
    "psql shop -c 'SELECT 1' & psql shop -c 'SELECT 2'": "It starts programs in the background.",
    'psql shop -c "SELECT $(date)"': "The shell works out $(...).",
    'psql shop -c "SELECT `date`"': "The shell works out `.",
    'psql -d $DB -c "SELECT 1"': "The shell works out $DB.",
    'psql -c "DO $$ BEGIN END $$"': "In double quotes the shell replaces $$ by a number; single quotes would keep it.",
    "psql shop -c SELECT*": "The shell looks for files where *, ?, [ or ~ is not quoted.",
    "psql shop -f ~/x.sql": "The shell looks for files where *, ?, [ or ~ is not quoted.",
    "psql shop -c 'SELECT 1": "Its quotes do not match.",
    "psql shop": "Psql is given nothing to run.",
    "psql -l": "Psql -l is not SQL.",
    "psql shop --no-such-option": "Psql: option --no-such-option not recognized.",
    "psql shop -c '\\copy a from b'": "\\copy is a command of psql itself.",
    "psql shop%SELECT 'SELECT 1' \\gexec": "\\gexec is a command of psql itself.",
    "psql shop -c 'COPY a TO STDOUT' > /a.csv": "It copies data from or to psql.",
    "psql shop -f x.sql": 'The directory of "x.sql" is not known: write its whole path.',
    "psql shop -f /srv/none.sql": "/srv/none.sql cannot be read: there is no such file.",
    "psql shop -f /srv/secret.sql": "/srv/secret.sql cannot be read: permission denied for function pg_read_file.",
    "psql shop -f /srv/both.sql": "VACUUM cannot be one of several statements: split it.",
    "psql shop -v day=today -f /srv/ask.sql": "It uses the variable day of psql.",
    "psql shop -f /srv/export.sql": "\\copy is a command of psql itself.",
    "psql -c 'SET work_mem = 1' shop": "It only changes settings of its own session.",
    "psql 'host=db2 password=geheim dbname=x' -c x": 'It runs on the server "db2": make that a foreign server, '
    "and define the job with its name as server.",
    "psql -p 5433 shop -c 'SELECT 1'": "It runs on the server at port 5433: make that a foreign server, and define the "
    "job with its name as server.",
    "psql service=shop -c 'SELECT 1'": 'The connection service "shop" says where it runs.',
    "psql 'password=geheim nonsense' -c 'SELECT 1'": "Its connection string cannot be read.",
    "vacuumdb --all": "Vacuumdb --all is more than one statement.",
    "vacuumdb --analyze-in-stages shop": "Vacuumdb --analyze-in-stages is more than one statement.",
    "vacuumdb -t 'a; DROP TABLE b' shop": '"a; DROP TABLE b" cannot be read as a name.',
    "vacuumdb -P '1) x' shop": '"1) x" is not a number.',
    "reindexdb -t a -t b shop": "It is more than one statement.",
    "if true; then psql shop -c 'SELECT 1'; fi": "It is a script of the shell.",
    "(psql shop -c 'SELECT 1')": "( is more than can be understood here.",
    "timeout never psql shop -c 'SELECT 1'": '"never" cannot be read as a duration.',
    "docker exec db psql shop -c 'SELECT 1'": "It runs docker, which is not SQL.",
}


@pytest.mark.parametrize("line", REASONS)
def test_what_is_left_out_says_why(line: str) -> None:
    assert reason(line) == REASONS[line]
    assert "geheim" not in str(plan(f"0 4 * * * {line}"))


def test_what_stands_above_a_line() -> None:
    text = """
        # tidy up
        # each night
        PGDATABASE = "shop"
        DB=warehouse
        MAILTO=dba@example.com
        CRON_TZ=Europe/Berlin

        # refresh the
        #   reports
        @daily\tpsql -d ${DB} -c "SELECT refresh()"
        0 4 * * * psql -c 'SELECT 1'
    """
    first, second = jobs(text)
    assert first["job_description"] == "refresh the reports"
    assert (first["datname"], first["schedule"], first["timezone"]) == ("warehouse", "@daily", "Europe/Berlin")
    assert "job_description" not in second
    assert second["datname"] == "shop"
    remarks = {planned.source_id: planned.notes for planned in plan(text) if planned.is_remark}
    assert remarks["line 6"] == ["Nobody gets mail: give jobs an on_failure_command, or listen to alerts."]
    assert remarks["line 7"] == ["It becomes the time zone Europe/Berlin of the jobs below."]


def test_the_database_of_lines_that_name_none() -> None:
    assert only("psql -U app -c 'SELECT 1'", datname="shop")["datname"] == "shop"


def test_crontabs_of_the_system_have_a_user() -> None:
    text = "0 4 * * * postgres psql shop -c 'SELECT 1'\n0 5 * * * www-data cd / && psql -c 'SELECT 2'\n"
    assert [(job["rolname"], job["datname"]) for job in jobs(text)] == [("postgres", "shop"), ("www-data", "www-data")]


def test_settings_and_timeouts() -> None:
    job = only(
        "PGOPTIONS='-c work_mem=1GB --lock-timeout=5s' PGTZ=UTC PGAPPNAME=x timeout 1.5h psql shop -c 'SELECT 1'"
    )
    assert job["settings"] == {"work_mem": "1GB", "lock_timeout": "5s", "TimeZone": "UTC", "application_name": "x"}
    assert job["job_timeout"] == "1.5 hours"
    job = only("psql shop -c \"SET work_mem TO '1GB'\" -c 'VACUUM'")
    assert (job["settings"], job["job_command"]) == ({"work_mem": "1GB"}, "VACUUM")


def test_several_commands_run_after_one_another() -> None:
    text = "0 4 * * * psql shop -c 'SELECT 1' && psql shop -c 'SELECT 2'; psql shop -c VACUUM -c 'CALL x()'"
    planned = plan(text)
    assert [line.source_id for line in planned] == ["line 1", "line 1, step 2", "line 1, step 3", "line 1, step 4"]
    assert [line.run_after for line in planned] == [[], *([line.source_id] for line in planned[:-1])]
    assert [line.definition.get("run_when") for line in planned] == [None, "on_success", "always", "always"]
    assert [line.definition.get("schedule") for line in planned] == ["0 4 * * *", None, None, None]


def test_notes() -> None:
    def notes(line: str) -> list[str]:
        (planned,) = plan(line)
        assert not planned.left_out
        return planned.notes

    assert notes("@reboot psql shop -c 'SELECT 1'") == ["It runs when the server starts, not the machine."]
    (output,) = notes("0 4 * * * psql shop -c 'SELECT 1' > /var/log/x.log 2>&1")
    assert output == "What it prints went to /var/log/x.log; a job keeps none of it."
    (whole,) = notes("0 4 * * * psql shop -c 'SELECT 1' -c 'SELECT 2'")
    assert whole.startswith("It is sent as a whole")
    (doubt,) = notes("*/90 * * * * psql shop -c 'SELECT 1'")
    assert "90 minutes" in doubt


def test_names_are_unique_and_stay() -> None:
    line = "0 4 * * * psql shop -c 'SELECT tidy_up()'\n"
    names = [job["job_name"] for job in jobs(line * 3)]
    assert names == ["SELECT tidy_up()", "SELECT tidy_up() (2)", "SELECT tidy_up() (3)"]
    assert [job["job_name"] for job in jobs("# other\n\n" + line * 2)] == names[:2]
    assert jobs("0 4 * * * psql -f /srv/nightly.sql shop")[0]["job_name"] == "nightly"
    assert only("psql shop -c 42")["job_name"] == "crontab line 1"


def test_a_large_crontab_takes_little_time_for_each_line() -> None:
    lines = [f"{number % 60} 4 * * * psql shop -c 'SELECT {number}'" for number in range(500)]
    assert len(jobs("\n".join(lines))) == 500
    assert len(plan("x" * 1_000_000)) == 1
    assert len(plan("* * * * * psql -c '" + "SELECT 1;" * 100_000)) == 1
    assert len(plan("\n" * 1_000_000)) == 0
    (long,) = plan("* * * * * psql -c '" + "SELECT 1;" * 10_000 + "'")
    assert long.notes == ["It is longer than 10000 characters."]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Co"], exclude_characters="\n\r\0"), min_size=1)))
def test_quoted_words_come_back(words: list[str]) -> None:
    # An assignment before the first word is none of the words.
    if words and not shell.ASSIGNMENT.fullmatch(words[0]) and words[0] not in shell.RESERVED:
        read = shell.read(" ".join(map(shlex.quote, words)), {})
        assert [step.pipeline[0].words for step in read] == [words]


@given(st.text(st.sampled_from("psql -cfdU'\"\\$`|&;<>()#%*?[]~=/:@a1 \t")))
def test_whatever_stands_in_a_line_is_answered(command: str) -> None:
    for planned in plan(f"0 4 * * * {command}\n@daily psql {command}\n{command}"):
        assert planned.left_out or planned.definition["job_command"]


def test_passwords_are_not_repeated() -> None:
    with pytest.raises(Elsewhere, match=r"^its connection string cannot be read$"):
        parameters_of("postgresql://app:geheim@[localhost/shop")


def test_random_lines_are_read_as_the_shell_reads_them(tmp_path: Path) -> None:
    """What is understood is what sh makes of it."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    alphabet = string.ascii_letters[:4] + "'\"\\$ |&;<>()#" + "''\"\"  \\"
    show = 'show() { for word; do printf "%s\\001" "$word"; done; }'
    compared = 0
    while compared < 150:
        line = "show " + "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 12)))
        try:
            steps = [] if "&" in line else shell.read(line, {})
        except shell.Unreadable:
            continue
        commands = [command for step in steps for command in step.pipeline]
        if len(commands) != 1 or commands[0].read_from or commands[0].written_to or commands[0].words[0] != "show":
            continue
        done = subprocess.run(["sh", "-c", f"{show}\n{line}"], capture_output=True, text=True, cwd=tmp_path)
        if done.returncode == 0:
            assert done.stdout.split("\1")[:-1] == commands[0].words[1:], line
            compared += 1


# --- what whoever has written it tries ----------------------------------------------------------


@pytest.fixture
def in_time() -> Iterator[None]:
    """Some of these texts kept it busy for hours, and PostgreSQL could not interrupt it."""
    with ends_within(60):
        yield


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize(
    "content",
    ["CREATE x\n" * 100_000 + ";x", "\n\ncreate x" * 80_000 + ";x", "REINDEX x\n" * 90_000 + ";", "\n" * 10**6 + "x;y"],
)
def test_a_long_script(content: str) -> None:
    line = "0 4 * * * psql -c 'SELECT 1' -f /long -c 'SELECT 2'"
    assert len(plan(line, files={"/long": {"content": content}})) == 1


@pytest.mark.usefixtures("in_time")
def test_long_lines() -> None:
    blanks = " " * 9900
    for command in (f"psql -c 'SET a{blanks}'", f"psql -c 'SET a {blanks}TO{blanks}'"):
        assert len(plan("\n".join([f"0 4 * * * {command}"] * 20))) == 20


def test_statements_that_cannot_be_one_of_several() -> None:
    for content in ("SELECT 1; VACUUM t", "VACUUM;SELECT 1", "SELECT 1;\n\n create index concurrently i ON t (a)"):
        (planned,) = plan("0 4 * * * psql -f /f", files={"/f": {"content": content}})
        assert "cannot be one of several statements" in planned.notes[-1]
    (planned,) = plan("0 4 * * * psql -f /f", files={"/f": {"content": "SELECT 1; CREATE TABLE t (\nvacuum int)"}})
    assert not planned.left_out


@pytest.mark.parametrize("depth", [15, 1500])
def test_programs_that_run_programs(depth: int) -> None:
    for wrapper in ("nice ", "env a=b ", "flock f ", "nohup timeout 5 "):
        planned = plan(f"0 4 * * * {wrapper * depth}psql -c x\n0 5 * * * psql -c y")
        assert planned[-1].definition["job_command"] == "y"
        if depth > 1000:
            assert planned[0].left_out


def test_it_can_be_interrupted() -> None:
    class InterruptedByServer(Exception):
        pass

    def interrupt() -> None:
        nonlocal left
        left -= 1
        if not left:
            raise InterruptedByServer

    text = "0 4 * * * psql -c x\n" * 50
    for call in (
        lambda: crontab.files_of(text, interrupt),
        lambda: crontab.plan({"crontab": text, "timezone": "UTC", "port": "5432"}, Caller("me", "control", interrupt)),
        lambda: pg_cron.plan(
            {"jobs": [{"jobid": number} for number in range(50)], "timezone": "UTC"}, Caller("me", "control", interrupt)
        ),
        lambda: pg_timetable.plan(
            {
                "tables": {"chain": [{"chain_id": n} for n in range(50)], "task": [], "parameter": []},
                "timezone": "UTC",
                "port": "5432",
                "datname": "x",
            },
            Caller("me", "control", interrupt),
        ),
        lambda: pgagent.plan(
            {
                "tables": {
                    "pga_job": [{"jobid": n} for n in range(50)],
                    "pga_jobstep": [],
                    "pga_schedule": [],
                    "pga_exception": [],
                },
                "timezone": "UTC",
                "port": "5432",
                "now": "2027-01-01T00:00:00+00:00",
            },
            Caller("me", "control", interrupt),
        ),
    ):
        left = 40
        with pytest.raises(InterruptedByServer):
            call()
