"""Sentences about the life of a job that histories cannot show, and the tests that do."""

# Of which document, the sentence, and the test.
SHOWN_ELSEWHERE = [
    ("reference", "it waits until the job is idle", "test_life.py::test_a_retry_waits_until_the_job_is_idle"),
    (
        "reference",
        "disabling or deleting the job, or `cancel_job()`, drops it",
        "test_life.py::test_a_retry_that_is_dropped_makes_its_failure_final",
    ),
    (
        "reference",
        "the regular run replaces the retry",
        "test_life.py::test_a_retry_that_a_regular_run_replaces_makes_its_failure_final",
    ),
    ("reference", "It survives the worker", "test_retries.py::test_a_pending_retry_outlives_the_worker"),
    (
        "reference",
        "runs the job as it is defined by then",
        "test_retries.py::test_a_retry_runs_what_the_job_is_by_then",
    ),
    (
        "reference",
        "`run_job()` runs a job even while it is disabled",
        "test_retries.py::test_disabled_after_so_many_failures",
    ),
    (
        "reference",
        "`run_when` counts as it is when the job could start",
        "test_life.py::test_run_when_is_asked_when_the_job_could_start",
    ),
    (
        "reference",
        "If a change of the two leaves nothing to wait for, the job starts.",
        "test_life.py::test_a_change_that_leaves_nothing_to_wait_for_starts_the_job",
    ),
    (
        "reference",
        "what ends in that time does not count: once enabled, it waits for new ends",
        "test_life.py::test_a_job_that_is_enabled_again_waits_for_new_ends",
    ),
    ("reference", "a job cannot run after itself through others (22023)", "test_dependencies.py::test_cycles"),
    (
        "reference",
        "You can only name jobs that you may change yourself",
        "test_dependencies.py::test_only_jobs_that_one_may_touch",
    ),
    ("reference", "the deletion warns of that", "test_dependencies.py::test_deleting_a_job_that_others_run_after"),
    (
        "reference",
        "What becomes of them when something else happens to the job:",
        "test_life.py::test_what_becomes_of_what_waits",
    ),
    (
        "reference",
        "For what is `parallel`, nothing waits until the job is idle and nothing is skipped.",
        "test_life.py::test_several_failures_at_once_of_a_parallel_job",
    ),
    (
        "reference",
        "only if there are 20 of these, and after one second",
        "test_alerts.py::test_a_run_that_takes_longer_than_they_used_to",
    ),
    (
        "reference",
        "notifications contain neither message nor command nor the job's name",
        "test_alerts.py::test_what_is_told_says_nothing_that_others_may_not_read",
    ),
    (
        "reference",
        "people have been told: they are told again when it has lasted five minutes",
        "test_alerts.py::test_people_are_told_again_at_growing_distance_and_of_the_end",
    ),
    (
        "reference",
        "It runs as the job's role, in its database, with its settings and timeout",
        "test_alerts.py::test_what_is_run_after_a_failure",
    ),
    (
        "reference",
        "A command that leaves a transaction open has failed (25000)",
        "test_runs.py::test_a_transaction_left_open_is_rolled_back",
    ),
    ("reference", "`COPY … FROM STDIN` fails, since there is no input.", "test_runs.py::test_copy_from_stdin_fails"),
    (
        "reference",
        "each finds it clean (`DISCARD ALL`)",
        "test_role_isolation.py::test_the_next_run_finds_a_clean_session",
    ),
    ("reference", "An active run is never deleted.", "test_retention.py::test_a_run_that_is_active_is_never_pruned"),
    (
        "reference",
        "The log of a deleted job stays until it is too old.",
        "test_retention.py::test_the_log_of_a_job_that_is_deleted_stays_until_it_is_old",
    ),
    (
        "reference",
        "durations of the last 100 successful runs: the median",
        "test_statistics.py::test_the_latest_hundred_are_kept",
    ),
    (
        "reference",
        "`run_job()` runs the job if the reason is gone, and otherwise logs a run that failed with it.",
        "test_quarantine.py::test_quarantine",
    ),
    ("reference", "Another role takes over a job by naming itself", "test_quarantine.py::test_a_job_is_taken_over"),
    (
        "reference",
        "They also remember which role and database the name meant.",
        "test_attacks_by_names.py::test_a_role_that_is_created_anew_inherits_nothing",
    ),
    (
        "schedules",
        "With `starts_at` and `ends_at` the job is due only from the one to the other, both included.",
        "test_time.py::test_window",
    ),
    (
        "schedules",
        "Once after each start of the server: when the worker first starts after it.",
        "test_time.py::test_reboot",
    ),
    (
        "schedules",
        "after a break the job runs as `catch_up` says, and then so long after that",
        "test_time.py::test_after",
    ),
    (
        "schedules",
        "`start_deadline` bounds how late a run may start",
        "test_time.py::test_start_deadline_when_all_places_are_taken",
    ),
    (
        "schedules",
        "Time in which a job is not `enabled` is not missed",
        "test_time.py::test_a_job_that_is_enabled_again_has_missed_nothing",
    ),
    (
        "schedules",
        "what was due has run, and does not run again for the same time",
        "test_time.py::test_set_back_by_ten_minutes",
    ),
    ("schedules", "All jobs are due next by the new time.", "test_time.py::test_a_clock_that_was_wrong"),
]
