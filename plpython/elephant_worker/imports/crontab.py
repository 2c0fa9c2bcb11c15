"""import_crontab(): lines of a crontab that are SQL become jobs.

How lines are read is cron(8)'s as Debian has it: variables, nicknames, what `%` means; CRON_TZ is cronie's. A crontab
of the system, such as /etc/crontab, has the user before the command.
"""

from __future__ import annotations

import contextlib
import getopt
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import UserError
from ..schedule.doubts import doubt
from . import shell
from .client_programs import PROGRAMS, Elsewhere, NotSql, ReadFile, Work, output_note, path_of, perform
from .names import Namer
from .planned import MOST_LINES, NO_TIMEOUT, Caller, Planned, check_given, sentence, too_many

VARIABLE = re.compile(
    r"""[ \t]*(?:"([^"=]+)"|'([^'=]+)'|([^\s"'=]+))[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|(.*?))[ \t]*""", re.ASCII
)
LINE = re.compile(r"[ \t]*(@\S+|(?:[^\s@]\S*[ \t]+){4}\S+)(?:[ \t]+(.*))?")
USER = re.compile(r"[A-Za-z_][\w.-]*\$?", re.ASCII)
# What cron or the shell makes of these does not concern a job.
UNUSED_VARIABLES = {"SHELL", "PATH", "LOGNAME", "LANG", "LC_ALL", "TERM", "RANDOM_DELAY", "PGPASSWORD", "PGPASSFILE"}
MAX_LINE = 10_000  # characters; Debian's cron takes 1,000
MAX_DESCRIPTION = 200  # characters
SHOWN_COMMAND = 60  # characters
MAX_DEPTH = 20  # commands inside of commands
MAX_STEPS = 50  # commands of a line

# Programs that run another one: their options, and how many words precede it.
WRAPPERS = {
    "nice": ("n:", ["adjustment="], 0),
    "ionice": ("c:n:t", ["class=", "classdata=", "ignore"], 0),
    "nohup": ("", [], 0),
    "exec": ("", [], 0),
    "time": ("p", [], 0),
    "chronic": ("ve", [], 0),
    "setsid": ("cfw", ["ctty", "fork", "wait"], 0),
    "env": ("iu:", ["ignore-environment", "unset="], 0),
    "flock": ("exsnuow:E:F", ["exclusive", "shared", "nonblock", "close", "wait=", "timeout="], 1),
    "timeout": ("k:s:v", ["kill-after=", "signal=", "preserve-status", "foreground", "verbose"], 1),
    "sudo": ("u:g:EHinSsbA", ["user=", "group=", "preserve-env", "login", "non-interactive", "set-home"], 0),
    "runuser": ("u:g:", ["user=", "group="], 0),
}
SHELLS = ("sh", "bash", "dash", "ksh", "zsh")
# What a command can begin with that is understood; docker exec is none.
STARTERS = {*PROGRAMS, *SHELLS, *set(WRAPPERS) - {"exec", "time"}, "su", "cd", "test", "[", "echo", "cat"}
DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Setting:
    """In what a command runs. `user` is that of the operating system; `by` what stops the run."""

    variables: Mapping[str, str]
    user: str
    port: str
    directory: str | None = None
    timeout: str | None = None
    depth: int = 0


@dataclass
class Line:
    """A line with a command; `description` is the comment above it."""

    number: int
    schedule: str
    command: str
    description: str | None
    variables: Mapping[str, str]
    timezone: str | None


@dataclass
class _Reader:
    """The lines of a crontab, one after the other, with what those before mean for them."""

    variables: dict[str, str] = field(default_factory=dict)
    comment: list[str] = field(default_factory=list)

    def lines(self, text: str) -> Iterator[Line | Planned]:
        """The commands, and what else is to be said of a line. Raises UserError (54000)."""
        count = 0
        for number, whole in enumerate(text.split("\n"), 1):
            line = whole.strip(" \t\r")
            if line and line[0] != "#":
                count += 1
                if count > MOST_LINES:
                    raise too_many("crontab")
            if len(line) > MAX_LINE:
                yield Planned(_source_id(number)).leave_out(f"It is longer than {MAX_LINE} characters.")
                self.comment = []
            elif not line:
                self.comment = []
            elif line[0] == "#":
                self.comment.append(line.lstrip("#").strip())
            elif assigned := VARIABLE.fullmatch(line):
                yield self._variable(number, assigned)
                self.comment = []
            elif found := LINE.fullmatch(line):
                comment = " ".join(filter(None, self.comment))[:MAX_DESCRIPTION] or None
                zone = self.variables.get("CRON_TZ")
                yield Line(number, " ".join(found[1].split()), found[2] or "", comment, dict(self.variables), zone)
                self.comment = []
            else:
                yield Planned(_source_id(number)).leave_out("It is neither a job nor a variable.")
                self.comment = []

    def _variable(self, number: int, assigned: re.Match[str]) -> Planned:
        quoted_name, other_name, bare_name, quoted, other, bare = assigned.groups()
        name = quoted_name or other_name or bare_name
        value = next(text for text in (quoted, other, bare) if text is not None)
        self.variables[name] = value
        said = Planned(_source_id(number))
        if name == "MAILTO":
            return said.remark(
                "Nobody gets mail: give jobs an on_failure_command, or listen to alerts."
                if value
                else "Nobody gets mail here either."
            )
        if name == "CRON_TZ":
            return said.remark(f"It becomes the time zone {value} of the jobs below.")
        if name == "TZ":
            return said.remark("It is for programs; the times are those of the time zone of cron.")
        if name in UNUSED_VARIABLES:
            return said.remark(f"{name} means nothing to a job.")
        return said.remark(f"{name} counts where a line below uses it.")


def plan(given: dict[str, Any], caller: Caller) -> list[Planned]:
    """What becomes of the lines of a crontab. `given` has its text, the time zone of cron, the database of lines that
    name none (or NULL), the port of this server, the files that its lines name, and the roles that may read any."""
    check_given(given, "crontab", "timezone", "port")
    names = Namer()
    planned: list[Planned] = []
    for line in caller.each(_Reader().lines(given["crontab"])):
        if isinstance(line, Planned):
            planned.append(line)
        else:
            planned += _jobs_of(line, given, caller, names)
    return planned


def files_of(text: str, let_interrupt: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """The function `files_of_crontab`; `let_interrupt` raises an exception with an SQLSTATE where the search is to
    end."""
    paths: set[str] = set()

    def ask(path: str) -> str:
        paths.add(path)
        return "SELECT"

    try:
        for line in Caller("", "", let_interrupt).each(_Reader().lines(text)):
            if isinstance(line, Line):
                with contextlib.suppress(NotSql, Elsewhere):
                    _works_of(line, Setting(line.variables, "", "5432"), ask)
    except UserError:
        paths.clear()  # which plan() refuses
    except Exception as error:
        if not hasattr(error, "sqlstate"):
            raise
        return {"files": None, "user_error": UserError.of(error).as_row()}
    return {"files": sorted(paths), "user_error": None}


def _source_id(number: int) -> str:
    return f"line {number}"


def _jobs_of(line: Line, given: Mapping[str, Any], caller: Caller, names: Namer) -> list[Planned]:
    source_id = _source_id(line.number)
    first = Planned(source_id, line.schedule)
    setting = Setting(line.variables, caller.role, given["port"])
    files = given.get("files") or {}
    read: list[str] = []

    def read_file(path: str) -> str:
        found = files.get(path) or {"error": "it has not been looked for"}
        if "content" not in found:
            raise NotSql(f"{path} cannot be read: {found['error']}")
        read.append(path)
        return str(found["content"])

    try:
        works = _works_of(line, setting, read_file)
    except (NotSql, Elsewhere) as reason:
        return [first.leave_out(sentence(str(reason)))]
    for role in {work.role for work in works} - {caller.role, *(given.get("readers") or ())} if read else ():
        # Whoever wrote the crontab could have any file shown to them by whoever imports it.
        return [
            first.leave_out(
                f'Role "{role}" would see what {read[0]} has in it, and may not read files of this server: '
                "make it a member of pg_read_server_files for the import, or define the job by define_job()."
            )
        ]
    jobs: list[Planned] = []
    for number, work in enumerate(works, 1):
        job = first if number == 1 else Planned(f"{source_id}, step {number}")
        job.notes += work.notes
        # As libpq has it, where nothing else is said.
        database = work.database or given.get("datname") or work.role
        wanted = work.name or " ".join(work.command.split())[:SHOWN_COMMAND].strip()
        job.definition = {
            "job_name": names.unique(work.role, wanted, f"crontab {job.source_id}", job.notes),
            "rolname": work.role,
            "datname": database,
            "job_command": work.command,
            "timezone": line.timezone or given["timezone"],
            "job_timeout": work.timeout or NO_TIMEOUT,
        }
        if number == 1:
            job.definition["schedule"] = line.schedule
            job.notes += _notes_on(line.schedule)
        else:
            job.run_after = [jobs[-1].source_id]
            job.definition["run_when"] = work.run_when
        for name, value in (
            ("job_description", line.description),
            ("settings", work.settings),
        ):
            if value:
                job.definition[name] = value
        jobs.append(job)
    return jobs


def _notes_on(schedule: str) -> list[str]:
    if schedule == "@reboot":
        return ["It runs when the server starts, not the machine."]
    try:
        doubted = doubt(schedule)
    except UserError:
        return []
    return [f"{doubted.detail} {doubted.hint}"] if doubted else []


def _works_of(line: Line, setting: Setting, read_file: ReadFile) -> list[Work]:
    """What the command of a line does; the user that a crontab of the system has before it is looked for."""
    if not line.command:
        raise NotSql("there is no command")
    command, given_input = _split_at_percent(line.command)
    word, _, rest = command.partition(" ")
    if USER.fullmatch(word) and word not in PROGRAMS and _program(rest) and not _program(command):
        setting, command = replace(setting, user=word), rest.lstrip()
    return _works(command, setting, read_file, given_input)


def _split_at_percent(text: str) -> tuple[str, str | None]:
    """The command, and what cron gives it to read: what follows the first bare `%`, with others as ends of lines."""
    parts = re.split(r"(?<!\\)%", text)
    command, *lines = (part.replace("\\%", "%") for part in parts)
    return command, "\n".join(lines) if lines else None


def _program(command: str) -> str | None:
    """The program that a command begins with, where it is one that is understood or runs one."""
    for word in command.split():
        if not shell.ASSIGNMENT.fullmatch(word):
            name = posixpath.basename(word)
            return name if name in STARTERS else None
    return None


def _works(command: str, setting: Setting, read_file: ReadFile, given_input: str | None) -> list[Work]:
    try:
        steps = shell.read(command, setting.variables)
    except shell.Unreadable as reason:
        raise NotSql(str(reason)) from None
    if len(steps) > MAX_STEPS:
        raise NotSql(f"it has more than {MAX_STEPS} commands")
    works: list[Work] = []
    for step in steps:
        first = step.pipeline[0]
        if step.connector == "||":
            raise NotSql("what follows || has to be the on_failure_command of a job")
        if len(step.pipeline) == 1 and not works and _is_preparation(first):
            if first.words and first.words[0] == "cd":
                setting = replace(setting, directory=path_of(first.words[1], setting.directory))
            elif not first.words:
                setting = replace(setting, variables={**setting.variables, **first.variables})
            continue
        found = _pipeline(step.pipeline, setting, read_file, given_input)
        if works:
            found[0].run_when = "on_success" if step.connector == "&&" else "always"
        works += found
    if not works:
        raise NotSql("there is nothing in it to run")
    return works


def _is_preparation(command: shell.Command) -> bool:
    """Whether it changes the directory or variables, or only asks whether a program is there."""
    words = command.words
    if not words:
        return bool(command.variables)
    return (words[0] == "cd" and len(words) == 2) or (words[0] in ("test", "[") and words[1:2] == ["-x"])


def _pipeline(
    pipeline: list[shell.Command], setting: Setting, read_file: ReadFile, given_input: str | None
) -> list[Work]:
    *before, last = pipeline
    if before:
        source = before[0]
        program = posixpath.basename(source.words[0]) if source.words else ""
        if len(before) == 1 and program == "echo" and len(source.words) == 2:
            given_input = source.words[1]
        elif len(before) == 1 and program == "cat" and len(source.words) == 2:
            last.read_from = source.words[1]
        elif program in PROGRAMS:
            raise NotSql(f"what {program} prints goes to {posixpath.basename((last.words or [''])[0])}")
        else:
            raise NotSql(f"it runs {program}, which is not SQL")
    if not last.words:
        raise NotSql("there is no command")
    if last.read_from is not None:
        given_input = read_file(path_of(last.read_from, setting.directory))
    works = _run(
        last.words, replace(setting, variables={**setting.variables, **last.variables}), read_file, given_input
    )
    for file in last.written_to:
        if file != "/dev/null":
            works[0].notes.append(output_note(file))
    return works


def _run(words: list[str], setting: Setting, read_file: ReadFile, given_input: str | None) -> list[Work]:
    if setting.depth > MAX_DEPTH:
        raise NotSql("it has too many commands inside of commands")
    program = posixpath.basename(words[0])
    if program in SHELLS and len(words) >= 3 and re.fullmatch(r"-[a-z]*c", words[1]):
        return _works(words[2], replace(setting, depth=setting.depth + 1), read_file, given_input)
    if program == "su":
        return _su(words, setting, read_file, given_input)
    if program in WRAPPERS:
        return _wrapped(program, words, setting, read_file, given_input)

    def read_here(name: str) -> str:
        return read_file(path_of(name, setting.directory))

    works = perform(words, setting.variables, setting.user, setting.port, read_here, given_input)
    for work in works:
        work.timeout = setting.timeout
    return works


def _su(words: list[str], setting: Setting, read_file: ReadFile, given_input: str | None) -> list[Work]:
    try:
        options, operands = getopt.gnu_getopt(
            ["-l" if word == "-" else word for word in words[1:]], "c:ls:m", ["command=", "login", "shell="]
        )
    except getopt.GetoptError as error:
        raise NotSql(f"su: {error}") from None
    commands = [value for option, value in options if option in ("-c", "--command")]
    if len(commands) != 1:
        raise NotSql("su is given no command")
    setting = replace(setting, user=operands[0] if operands else "root", depth=setting.depth + 1)
    return _works(commands[0], setting, read_file, given_input)


def _wrapped(
    program: str, words: list[str], setting: Setting, read_file: ReadFile, given_input: str | None
) -> list[Work]:
    short, long, operands = WRAPPERS[program]
    try:
        options, rest = getopt.getopt(words[1:], short, long)
    except getopt.GetoptError as error:
        raise NotSql(f"{program}: {error}") from None
    for option, value in options:
        if program in ("sudo", "runuser") and option in ("-u", "--user"):
            setting = replace(setting, user=value)
    if program == "sudo" and not any(option in ("-u", "--user") for option, _ in options):
        setting = replace(setting, user="root")
    if program == "timeout" and rest:
        if not (duration := DURATION.fullmatch(rest[0])):
            raise NotSql(f'"{rest[0]}" cannot be read as a duration')
        setting = replace(setting, timeout=f"{duration[1]} {UNITS[duration[2]]}")
    rest = rest[operands:]
    if program == "flock" and rest[:1] == ["-c"] and len(rest) == 2:
        return _works(rest[1], replace(setting, depth=setting.depth + 1), read_file, given_input)
    variables = dict(setting.variables)
    while program in ("env", "sudo") and rest and (assigned := shell.ASSIGNMENT.fullmatch(rest[0])):
        variables[assigned[1]] = assigned[2]
        rest = rest[1:]
    if not rest:
        raise NotSql(f"{program} is given no command")
    return _run(rest, replace(setting, variables=variables, depth=setting.depth + 1), read_file, given_input)
