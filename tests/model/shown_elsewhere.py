"""Sentences of docs/reference.md and docs/schedules.md that histories cannot show, and the tests that do.

They are quoted as in oracle.py. A heading stands for its section, and the first row of a table for all of it; a file of
tests is named alone where it is about nothing else.
"""

from __future__ import annotations

# By test, or file of tests: what it shows.
SHOWN_ELSEWHERE: dict[str, list[str]] = {
    "test_metric.py": [
        "reference.md: The view `metric` has figures of the worker, of roles and of databases for monitoring",
    ],
    "test_import_pg_cron.py": [
        "reference.md: | `import_pg_cron(dry_run = true, jobs, timezone, match_dom_and_dow, part, prune = false)",
    ],
    "test_imports.py": [
        "reference.md: | `import_crontab(crontab, datname, dry_run = true, timezone, part, prune = false)",
        "reference.md: | `import_pgagent(dry_run = true, jobs, timezone, part, prune = false)",
        "reference.md: | `import_pg_timetable(dry_run = true, chains, datname, timezone, part, prune = false)",
    ],
    "test_alerts.py::test_a_receiver_is_claimed_by_one_forwarder_at_a_time": [
        "reference.md: `claim_receiver(receiver text, forwarder text, lease interval = '15 seconds') → boolean`",
        "reference.md: Only the same forwarder gets it again, and so extends it, until then",
        "reference.md: Errors: 22023 (names of 1 to 100 characters, at most one hour).",
    ],
    "test_life_of_a_server.py::test_a_copy_of_the_database": [
        "reference.md: | `confirm_copy() → void` |",
    ],
    "test_pooler.py::test_all_functions_in_transaction_mode": [
        "reference.md: All functions and views can be called through a pooler",
    ],
    "test_pooler.py::test_the_sessions_of_runs": [
        "reference.md: If `conninfo` leads to a pooler",
        "reference.md: It must keep the session of a client",
        "reference.md: pgbouncer's `ignore_startup_parameters` must name `options`",
        "reference.md: The worker keeps and limits its sessions itself",
    ],
    "test_everyday_views.py::test_a_table_that_is_locked_is_a_problem": [
        "reference.md: `worker_status` waits for no lock longer than a moment",
    ],
    "test_setup.py::test_every_remedy_is_tested": [
        "reference.md: A remedy can be pasted whole; psql marks",
        "reference.md: Where somebody has to decide, it shows what it is about",
    ],
    "test_administration.py::test_what_is_renamed_under_its_jobs": [
        "reference.md: If you rename one, rename it in its jobs too",
        "reference.md: | `rolname`, `datname`, `server`, `job_command`, `job_name` |",
    ],
    "test_alerts.py::test_a_job_that_has_not_succeeded_in_time": [
        "reference.md: | `expect_success_within interval` |",
    ],
    "test_alerts.py::test_a_run_that_takes_longer_than_they_used_to": [
        "reference.md: only if there are 20 of these, and after one second",
        "reference.md: | `overrun_factor` |",
    ],
    "test_alerts.py::test_deliveries_are_marked_by_monitors_once": [
        "reference.md: | `delivered_at`, `delivered_to`, `delivery_error` |",
    ],
    "test_alerts.py::test_failed_and_recovered": [
        "reference.md: The payload is JSON",
    ],
    "test_alerts.py::test_people_are_told_again_at_growing_distance_and_of_the_end": [
        "reference.md: people have been told: they are told again when it has lasted five minutes",
    ],
    "test_alerts.py::test_rights_are_those_of_the_log": [
        "reference.md: Roles see it through the views `my_alert`",
    ],
    "test_alerts.py::test_what_is_run_after_a_failure": [
        "reference.md: It runs as the job's role, in its database, with its settings and timeout",
        "reference.md: | `on_failure_command text` |",
        "reference.md: It can read `current_setting('elephant_worker.failed_job')`",
    ],
    "test_alerts.py::test_what_is_told_is_kept_with_a_name_and_in_words": [
        "reference.md: | `alert_id`, `event`, `raised_at` |",
        "reference.md: | `job_id`, `job_name`, `jl_id` | the job and its name then",
        "reference.md: | `rolname`, `datname`, `server`, `sqlstate`, `attempt`, `retry` |",
        "reference.md: | `explanation` |",
    ],
    "test_alerts.py::test_what_is_told_says_nothing_that_others_may_not_read": [
        "reference.md: notifications contain neither message nor command nor the job's name",
    ],
    "test_api.py::test_next_runs": [
        "reference.md: | `next_runs(schedule, timezone, after, count, dst)",
    ],
    "test_api.py::test_update_job_says_how_to_set_something_to_null": [
        "reference.md: `UPDATE` can also set something to NULL",
    ],
    "test_apply_jobs.py": [
        "reference.md: ### Documents",
    ],
    "test_apply_jobs.py::test_the_schema_of_documents": [
        "reference.md: | `apply_jobs(jobs, part, prune, dry_run) → SETOF record`",
        "reference.md: | `part text` |",
    ],
    "test_attacks_by_names.py::test_a_database_that_is_created_anew_is_another": [
        "reference.md: If another one has it now, a superuser gives it the jobs",
    ],
    "test_attacks_by_names.py::test_a_restore_takes_the_names_for_what_they_mean_there": [
        "reference.md: A restore takes names for what they mean there",
    ],
    "test_attacks_by_names.py::test_a_role_that_is_created_anew_inherits_nothing": [
        "reference.md: They also remember which role and database the name meant.",
        "reference.md: | `confirm_role(rolname name) → void` |",
    ],
    "test_attributes.py::test_the_functions_take_all": [
        "reference.md: | `insert_job(job_command, datname, schedule,",
        "reference.md: | `update_job(job_id, …the same…) → member_job` |",
        "reference.md: | `job_description text` |",
    ],
    "test_attributes.py::test_the_reference_lists_all": [
        "reference.md: These are the parameters of `insert_job()`, `define_job()` and `update_job()`",
        "reference.md: `my_job`, `member_job` and `all_job` also show",
    ],
    "test_attributes.py::test_the_views_show_all_and_take_all": [
        "schedules.md: `my_job`, `member_job` and `all_job` show it.",
        "reference.md: `INSERT`, `UPDATE` and `DELETE` on `my_job` and `member_job` do the same with the same checks.",
    ],
    "test_conformance.py": [
        "schedules.md: ## Differences",
    ],
    "test_connect_as_role.py::test_over_the_socket_with_a_map": [
        "reference.md: | `connect_as` |",
    ],
    "test_define_job.py": [
        "reference.md: ## Jobs as code",
    ],
    "test_define_job.py::test_what_is_not_given_gets_its_default": [
        "reference.md: | `define_job(job_name, job_command, datname, schedule,",
    ],
    "test_definition.py::test_types_of_a_schedule": [
        "reference.md: | `schedule text` |",
    ],
    "test_dependencies.py::test_a_cycle_of_two_transactions_through_other_jobs": [
        "reference.md: A change of `run_after` locks the jobs that it names",
    ],
    "test_dependencies.py::test_conditions": [
        "reference.md: | `run_when text` |",
        "reference.md: | `on_success` | `succeeded` |",
    ],
    "test_dependencies.py::test_cycles": [
        "reference.md: a job cannot run after itself through others (22023)",
    ],
    "test_dependencies.py::test_deleting_a_job_that_others_run_after": [
        "reference.md: A job whose predecessor is deleted no longer starts",
    ],
    "test_dependencies.py::test_a_job_that_is_given_away_from_those_that_run_after_it": [
        "reference.md: nor does one whose predecessor is given to a role that its `defined_by` may not act as",
        "reference.md: the deletion and the change of `rolname` warn of that",
        "reference.md: A `REVOKE` of the membership cannot warn.",
        "reference.md: In each case the view `problem` has a row for the job, as long as it is enabled.",
        "reference.md: | `orphaned` |",
    ],
    "test_dependencies.py::test_jobs_are_given_by_number_or_name": [
        "reference.md: | `run_after bigint[]` |",
    ],
    "test_dependencies.py::test_one_after_the_other": [
        "reference.md: The job may also have a schedule",
        "reference.md: `job_chain` has a row for each job",
        "reference.md: `level` (length of the chain before it)",
    ],
    "test_dependencies.py::test_only_jobs_that_one_may_touch": [
        "reference.md: You can only name jobs that you may change yourself",
    ],
    "test_description.py::test_words": [
        "reference.md: | `describe_schedule(schedule, timezone, dst) → text` |",
    ],
    "test_dispatch.py::test_missed_while_no_worker_was_there": [
        "schedules.md: - **Set forward**: the time in between is missed time",
    ],
    "test_dispatch.py::test_the_limit_of_catching_up_counts_what_waits_each_time": [
        "schedules.md: `catch_up_limit` says how many due times may wait",
    ],
    "test_dispatch.py::test_start_deadline": [
        "schedules.md: NULL, the default, sets no bound.",
    ],
    "test_dispatch.py::test_start_deadline_bounds_catching_up": [
        "schedules.md: With `start_deadline = '2 hours'` the job of the example",
    ],
    "test_documents.py::test_the_commands_of": [
        'reference.md: `psql -XAtqc "SELECT report_html()" > report.html` writes it.',
    ],
    "test_due_times.py::test_intervals_know_no_change": [
        "schedules.md: A day is 24 hours, also where the clocks change.",
    ],
    "test_due_times.py::test_unknown_time_zones": [
        "schedules.md: Anything else is refused with the nearest name.",
    ],
    "test_everyday_views.py": [
        "reference.md: ## Everyday views",
        "reference.md: ### Problems",
    ],
    "test_foreign_server.py": [
        "reference.md: ## Other servers",
    ],
    "test_foreign_server.py::test_a_run_on_another_server": [
        "reference.md: | `server name` |",
    ],
    "test_install.py::test_every_object_has_a_comment": [
        "reference.md: Every object has a comment",
    ],
    "test_job_change.py": [
        "reference.md: ### History",
    ],
    "test_job_change.py::test_runs_know_the_version_of_their_job": [
        "reference.md: | `version` | the version of the job that ran",
    ],
    "test_job_checks.py::test_the_size_of_a_definition_is_limited": [
        "reference.md: | `max_definition_size` |",
    ],
    "test_job_checks.py::test_what_is_required": [
        "reference.md: Command, database and role cannot be NULL (22004)",
    ],
    "test_launcher.py::test_launcher": [
        "reference.md: After a restart of the server, which ends both, the launcher starts a new worker.",
    ],
    "test_life.py::test_a_change_that_leaves_nothing_to_wait_for_starts_the_job": [
        "reference.md: If a change of the two leaves nothing to wait for, the job starts.",
    ],
    "test_life.py::test_a_job_that_is_enabled_again_waits_for_new_ends": [
        "reference.md: what ends in that time does not count: once enabled, it waits for new ends",
    ],
    "test_life.py::test_a_retry_that_a_regular_run_replaces_makes_its_failure_final": [
        "reference.md: the regular run replaces the retry",
    ],
    "test_life.py::test_a_retry_that_is_dropped_makes_its_failure_final": [
        "reference.md: disabling or deleting the job, or `cancel_job()`, drops it",
    ],
    "test_life.py::test_a_retry_waits_until_the_job_is_idle": [
        "reference.md: it waits until the job is idle",
    ],
    "test_life.py::test_missed_time_that_waits_for_a_run_is_made_up_for_one_by_one": [
        "schedules.md: If a run is active then, they wait until it has ended",
    ],
    "test_life.py::test_run_when_is_asked_when_the_job_could_start": [
        "reference.md: `run_when` counts as it is when the job could start",
    ],
    "test_life.py::test_several_failures_at_once_of_a_parallel_job": [
        "reference.md: For what is `parallel`, nothing waits until the job is idle and nothing is skipped.",
    ],
    "test_life.py::test_what_becomes_of_what_waits": [
        "reference.md: What becomes of them when something else happens to the job:",
        "reference.md: | | retry | dependency, `@reboot` | `run_job()` | due time |",
    ],
    "test_life_of_a_server.py::test_the_log_says_who_starts_and_stops_and_nothing_that_looks_like_a_fault": [
        "reference.md: - otherwise a detached session",
    ],
    "test_orm.py::test_all_columns_as_null_and_unchanged": [
        'reference.md: NULL means "not given" in the functions',
    ],
    "test_orm.py::test_insert_or_update": [
        "reference.md: `INSERT … ON CONFLICT (rolname, job_name) DO UPDATE`",
    ],
    "test_orm.py::test_sqlalchemy_maps_what_it_finds": [
        "reference.md: `my_job_definition` and `member_job_definition` show `job_id` and what can be set",
    ],
    "test_other_extensions.py": [
        "reference.md: - pg_background, if that extension",
    ],
    "test_parser.py": [
        "reference.md: ## Schedules",
        "schedules.md: ## Grammar",
        "schedules.md: ### Day of month and day of week",
    ],
    "test_quarantine.py::test_a_full_role_waits_and_others_do_not": [
        "reference.md: | `max_running_jobs_per_role` |",
    ],
    "test_quarantine.py::test_a_job_is_taken_over": [
        "reference.md: Another role takes over a job by naming itself",
        "reference.md: `defined_by` is the role that last set command, role, database or `run_after`.",
    ],
    "test_quarantine.py::test_no_more_jobs_than_max_jobs_per_role": [
        "reference.md: | `max_jobs_per_role` |",
    ],
    "test_job_quota.py::test_a_transaction_that_has_counted_and_stays_open": [
        "reference.md: has the others fail after 10 seconds (55P03)",
    ],
    "test_quarantine.py::test_quarantine": [
        "reference.md: `run_job()` runs the job if the reason is gone, and otherwise logs a run that failed with it.",
    ],
    "test_reasons.py::test_who_defines_something_is_told": [
        "reference.md: While nothing would run, `insert_job()`",
    ],
    "test_regress.py": [
        "reference.md: ## Roles",
    ],
    "test_regress.py::test_installcheck": [
        "reference.md: These are for superusers.",
    ],
    "test_report.py": [
        "reference.md: `report_html(since = '1 day')` returns a page of one file",
    ],
    "test_report.py::test_how_far_back": [
        "reference.md: Anything but 1 second to 10 years fails with 22023.",
    ],
    "test_report.py::test_runs_before_are_not_shown": [
        "reference.md: | `since`, `made_at` |",
    ],
    "test_report.py::test_size": [
        "reference.md: What would be too much is grouped by `slot` seconds",
    ],
    "test_report.py::test_the_page_needs_nothing_and_fetches_nothing": [
        "reference.md: It needs a browser not older than 2023, and no network, and has less than 500 kB.",
    ],
    "test_report.py::test_what_has_run": [
        "reference.md: | `role`, `database`, `cluster`, `version`, `sees_all` |",
        "reference.md: | `running`, `reason` | see `worker_status` |",
        "reference.md: `report_data(since = '1 day')` returns the same as `jsonb`.",
        "reference.md: Moments are seconds since 1970, durations are seconds:",
        "reference.md: | `runs` | number of runs of these jobs by state |",
    ],
    "test_report.py::test_what_is_too_much_is_counted": [
        "reference.md: | `problems`, `problems_total` |",
        "reference.md: | `jobs`, `jobs_total` |",
        "reference.md: | `ran` | `runs` and `failures` in each hour of the last 28 days at most",
        "reference.md: | `coming` | the number of due times in each hour of the next 7 days, of up to 10,000 jobs",
        "reference.md: | `durations` | the 8 `slowest` and the 8 most `changed` jobs",
        "reference.md: | `failures`, `failures_total` | the most frequent messages, at most 50",
    ],
    "test_report.py::test_what_was_missed": [
        "reference.md: For `missed`, `count` is the number of due times",
    ],
    "test_report.py::test_who_sees_what": [
        "reference.md: It shows what the views above show to the same role, and no commands",
    ],
    "test_request_quota.py::test_no_more_wait_than_max_requests_per_role": [
        "reference.md: | `max_requests_per_role` |",
    ],
    "test_retention.py::test_a_run_that_is_active_is_never_pruned": [
        "reference.md: An active run is never deleted.",
    ],
    "test_retention.py::test_each_job_keeps_its_latest_rows": [
        "reference.md: | `log_max_rows` |",
    ],
    "test_retention.py::test_failures_are_kept_by_age": [
        "reference.md: Runs that succeeded or were skipped also have to be among the latest",
    ],
    "test_retention.py::test_old_rows_go_and_young_ones_stay": [
        "reference.md: A run stays in the log for `worker_setting.log_max_age` after its end.",
        "reference.md: | `log_max_age` |",
    ],
    "test_retention.py::test_the_log_is_pruned_while_100_runs_a_second_start": [
        "reference.md: The worker deletes the rest in small batches",
    ],
    "test_retention.py::test_the_log_of_a_job_that_is_deleted_stays_until_it_is_old": [
        "reference.md: The log of a deleted job stays until it is too old.",
        "reference.md: | `jl_id`, `job_id` | the run, the job",
    ],
    "test_retries.py::test_a_pending_retry_outlives_the_worker": [
        "reference.md: It survives the worker",
    ],
    "test_retries.py::test_a_retry_runs_what_the_job_is_by_then": [
        "reference.md: runs the job as it is defined by then",
    ],
    "test_retries.py::test_disabled_after_so_many_failures": [
        "reference.md: `run_job()` runs a job even while it is disabled",
        "reference.md: | `disable_after integer` |",
        "reference.md: `disabled_at` says since when, and `next_run_at` is NULL.",
    ],
    "test_retries.py::test_kinds_of_failure": [
        "reference.md: | `retry_on text[]` |",
        "reference.md: | `error` | any other error |",
        "reference.md: | `timeout` | the run took longer",
    ],
    "test_retries.py::test_not_more_often_than_asked_for": [
        "reference.md: | `max_retries integer` |",
    ],
    "test_retries.py::test_until_it_succeeds": [
        "reference.md: | `retry_delay interval` |",
        "reference.md: | `attempt` | number of the attempt for this due time |",
    ],
    "test_retry.py::test_the_delay_is_bounded": [
        "reference.md: | `max_retry_delay interval` |",
    ],
    "test_role_isolation.py::test_sessions_end_soon_after_their_last_run": [
        "reference.md: | `max_idle_sessions` |",
        "reference.md: | `session_idle_time` |",
        "reference.md: | `session_lifetime` |",
    ],
    "test_role_isolation.py::test_the_next_run_finds_a_clean_session": [
        "reference.md: each finds it clean (`DISCARD ALL`)",
        "reference.md: What a command leaves behind, such as session-level advisory locks",
    ],
    "test_run_control.py::test_a_name_is_given_once_by_each_role": [
        "reference.md: The name is looked up among the jobs of the current role first",
        "reference.md: | `job_name text` |",
    ],
    "test_run_control.py::test_cancel_a_run_that_waits": [
        "reference.md: `waiting_run` shows runs that were requested and have not started.",
    ],
    "test_run_control.py::test_every_function_takes_the_name": [
        "reference.md: | `find_job(job_name) → bigint` |",
        "reference.md: Every function that takes a `job_id` also takes a `job_name`",
    ],
    "test_run_control.py::test_run_once_leaves_a_log_row_and_no_job": [
        "reference.md: `run_once()` needs no job",
        "reference.md: All parameters except the command have defaults",
    ],
    "test_runs.py::test_a_transaction_left_open_is_rolled_back": [
        "reference.md: A command that leaves a transaction open has failed (25000)",
    ],
    "test_runs.py::test_an_error_is_logged_with_all_its_parts": [
        "reference.md: | `exception_message`, `_detail`, `_hint`, `_context` |",
    ],
    "test_runs.py::test_commands_run_as_in_psql": [
        "reference.md: | `job_command text` |",
    ],
    "test_runs.py::test_copy_from_stdin_fails": [
        "reference.md: `COPY … FROM STDIN` fails, since there is no input.",
    ],
    "test_runs.py::test_it_runs_as_a_batch_beside_the_worker_and_people": [
        "reference.md: On Linux the process of such a session runs under the policy",
    ],
    "test_runs.py::test_no_more_than_max_running_jobs_at_once": [
        "reference.md: | `max_running_jobs` | 32 |",
        "reference.md: `worker_setting` has one row; a change takes effect at once",
    ],
    "test_runs.py::test_nologin_role": [
        "reference.md: | `rolname name` |",
    ],
    "test_runs.py::test_notices_are_kept_up_to_8_kilobytes": [
        "reference.md: | `notices` |",
    ],
    "test_runs.py::test_runs_as_its_role_in_its_database": [
        "reference.md: | `datname name` |",
        "reference.md: `current_user` is the job's role",
    ],
    "test_runs.py::test_settings_of_the_role_hold": [
        "reference.md: Defaults set by `ALTER ROLE … SET`",
    ],
    "test_runs.py::test_tag_and_rows": [
        "reference.md: | `command_tag`, `row_count` |",
    ],
    "test_runs.py::test_the_command_can_read_what_it_is": [
        "reference.md: `current_setting('elephant_worker.job_id')`, `'elephant_worker.run_id'`",
        "reference.md: and `'elephant_worker.attempt'` are available to the command.",
    ],
    "test_runs.py::test_timeout_terminates_who_does_not_let_itself_be_cancelled": [
        "reference.md: | `cancel_grace` |",
    ],
    "test_schedule_functions.py::test_a_zone_that_reads_like_another_is_told": [
        "schedules.md: A NOTICE says so, also in `describe_schedule()`, where a name reads like a zone",
    ],
    "test_schedule_functions.py::test_time_zones_of_drivers_and_containers": [
        "schedules.md: or POSIX forms, as drivers, containers and `SET TIME ZONE 2` give them to a session",
        "schedules.md: Mind the sign of these, which is POSIX's and PostgreSQL's",
    ],
    "test_schedule_functions.py::test_what_is_frequent_has_one_row": [
        "reference.md: | `upcoming_runs(ahead, times) →",
    ],
    "test_schedules_document.py": [
        "schedules.md: ## Examples",
        "schedules.md: ## H: spreading the load",
        "schedules.md: ## What is refused",
        "schedules.md: ### Read, with a NOTICE",
        "schedules.md: ## Changes of the clock",
    ],
    "test_schedules_document.py::test_missed_time": [
        "schedules.md: | `catch_up` | 10:00 | 11:00 | 12:00 | 13:00 |",
    ],
    "test_scheduling_policy.py::test_another_policy_is_respected": [
        "reference.md: If the server runs under another policy, so do jobs.",
    ],
    "test_settings.py": [
        "reference.md: ## Settings and parameters of a job",
    ],
    "test_settings.py::test_parameters_are_bound": [
        "reference.md: | `parameters jsonb` |",
    ],
    "test_settings.py::test_settings_hold_in_the_run_and_not_in_the_next": [
        "reference.md: | `settings jsonb` |",
    ],
    "test_setup.py": [
        "reference.md: | `check_name` | what can be wrong |",
        "reference.md: `check_setup()` returns a row for everything that it has checked",
        "reference.md: | `check_setup()` | reports what keeps jobs from running",
    ],
    "test_setup.py::test_conninfo_says_where_the_server_is": [
        "reference.md: | `conninfo` |",
    ],
    "test_setup.py::test_every_obstacle_is_described": [
        "reference.md: A job that is due does not run, and `quarantined_reason` says why",
        "reference.md: | SQLSTATE | reason |",
        "reference.md: The log's row says what lets the job run again",
    ],
    "test_setup.py::test_too_few_connections": [
        "reference.md: | `spare_connections` |",
    ],
    "test_setup.py::test_what_is_in_the_way_of_jobs": [
        "reference.md: `ok` needs no remedy",
    ],
    "test_start_stop.py::test_a_foreground_worker_follows_one_that_was_told_to_stop": [
        "reference.md: | `CALL run_worker()` |",
    ],
    "test_start_stop.py::test_the_later_start_wins": [
        "reference.md: | `restart_worker() → integer` |",
    ],
    "test_statistics.py::test_missed_due_times_are_counted": [
        "schedules.md: What is not made up for stands in the log as one row of state `missed` for each streak",
    ],
    "test_statistics.py::test_percentiles": [
        "reference.md: | `lateness_p50`, `lateness_p95` |",
    ],
    "test_statistics.py::test_the_latest_hundred_are_kept": [
        "reference.md: durations of the last 100 successful runs: the median",
    ],
    "test_statistics.py::test_what_runs_cost": [
        "reference.md: | `cpu_time`, `bytes_read`, `bytes_written` |",
        "reference.md: | `measure_cost` |",
    ],
    "test_statistics.py::test_who_sees_which_statistics": [
        "reference.md: `job_stats` has a row for each job",
        "reference.md: | `job_id`, `job_name`, `rolname`, `datname` | the job |",
    ],
    "test_time.py::test_a_clock_that_was_wrong": [
        "schedules.md: All jobs are due next by the new time.",
    ],
    "test_time.py::test_a_job_that_is_enabled_again_has_missed_nothing": [
        "schedules.md: Time in which a job is not `enabled` is not missed",
    ],
    "test_time.py::test_after": [
        "schedules.md: after a break the job runs as `catch_up` says, and then so long after that",
    ],
    "test_time.py::test_catch_up": [
        "reference.md: | `catch_up text` |",
        "reference.md: | `catch_up_limit integer` |",
        "reference.md: | `start_grace` |",
    ],
    "test_reasons.py::test_a_worker_that_stood_still": [
        "reference.md: | `pause_after_stall` |",
    ],
    "test_time.py::test_changes_of_the_clock_and_time_zones": [
        "reference.md: | `dst text` |",
    ],
    "test_time.py::test_default_time_zone_is_that_of_the_session": [
        "schedules.md: `timezone` is the zone of the job; by default, the setting `TimeZone` of the session",
        "reference.md: | `timezone text` | `TimeZone` of the session |",
    ],
    "test_time.py::test_reboot": [
        "schedules.md: Once after each start of the server: when the worker first starts after it.",
        "schedules.md: `@reboot` observes the window too",
        "schedules.md: It can stand in an array",
        "schedules.md: Its runs have `cause = 'reboot'` in the log.",
    ],
    "test_time.py::test_set_back_by_ten_minutes": [
        "schedules.md: what was due has run, and does not run again for the same time",
        "schedules.md: The worker compares the wall clock with a clock that only goes forward",
    ],
    "test_time.py::test_start_deadline_when_all_places_are_taken": [
        "schedules.md: `start_deadline` bounds how late a run for a due time may start",
        "reference.md: | `start_deadline interval` |",
        "schedules.md: What could not start in time is `missed` instead of late",
    ],
    "test_time.py::test_window": [
        "schedules.md: With `starts_at` and `ends_at` the job is due only from the one to the other, both included.",
        "reference.md: | `starts_at`, `ends_at timestamptz` |",
        "schedules.md: Intervals are counted from `starts_at`, which is also the first time they are due.",
        "schedules.md: When `ends_at` has passed",
    ],
    "test_transports.py::test_rows_of_any_size_pass_by": [
        "reference.md: Rows that a command returns are counted, but not kept.",
    ],
    "test_try_job.py": [
        "reference.md: ## Trying a job",
    ],
    "test_try_job.py::test_it_is_executed_as_its_role_in_its_database_and_rolled_back": [
        "reference.md: | `try_job(job_id) → record` |",
    ],
    "test_update.py": [
        "reference.md: ## Updates",
    ],
    "test_wait_for_run.py": [
        "reference.md: ## Waiting for a run",
    ],
    "test_wait_for_run.py::test_it_returns_how_the_run_went": [
        "reference.md: | `CALL wait_for_run(jl_id, timeout = '1 minute')` |",
    ],
    "test_worker.py::test_a_copy_of_the_cluster_stays_quiet_until_a_person_starts_the_worker": [
        "reference.md: | `standby_directories` |",
    ],
    "test_worker.py::test_a_launcher_starts_only_what_is_armed": [
        "reference.md: | `start_worker(unattended := true)` |",
    ],
    "test_worker.py::test_a_spare_takes_over_from_a_worker_that_is_terminated": [
        "reference.md: Beside the worker there is a *spare*",
        "reference.md: If nobody asked for that, the spare becomes the worker.",
    ],
    "test_worker.py::test_idle_it_holds_nothing": [
        "reference.md: The worker is a server process, in `pg_stat_activity`",
    ],
    "test_worker.py::test_start_returns_the_pid_and_does_nothing_where_one_runs": [
        "reference.md: | `start_worker() → integer` |",
    ],
    "test_worker_status.py": [
        "reference.md: | column of `worker_status` | meaning |",
        "reference.md: | `worker_status` | whether the worker is alive",
    ],
    "test_session_settings.py::test_a_session_that_is_taken_for_a_subscription": [
        "reference.md: With `session_replication_role = replica`, as subscriptions have it",
    ],
    "test_many_requests.py::test_what_belongs_to_no_job": [
        "reference.md: A run of `run_once()`, and one of an `on_failure_command`, belongs to no job",
    ],
    "test_many_requests.py::test_what_is_cancelled_ends_though_nothing_can_start": [
        "reference.md: What has been cancelled while it waits is `cancelled` in the log as soon as",
    ],
    "test_alerts.py::test_a_failure_of_an_earlier_role_is_not_told": [
        "reference.md: If the job has been given away, and its role now may not act as the role",
    ],
    "test_worker_status.py::test_who_may_see_it": [
        "reference.md: `job_monitor` and `job_scheduler` may also read `worker_status`",
    ],
}
# What promises nothing: introductions, advice, examples.
NO_PROMISE = [
    "reference.md: [Roles](#roles) · [Jobs](#jobs)",
    "reference.md: draws the states.",
    "reference.md: It is hosted by",
    "schedules.md: After an update restart the worker",
    "reference.md: All objects are in the schema that the extension was created in",
    "reference.md: `SELECT run_once('REFRESH MATERIALIZED VIEW sales')`",
    "reference.md: Jobs refer to roles and databases by name.",
    "reference.md: `UPDATE member_job SET rolname = 'new'",
    "reference.md: `UPDATE member_job SET defined_by = current_user WHERE defined_by = 'who left'`",
    "reference.md: Four things can wait",
    "reference.md: | `state` | see below |",
    "reference.md: The views are `my_job_log`, `member_job_log` and `all_job_log`",
    "schedules.md: When a job runs: the column `schedule`",
    "schedules.md: What a crontab line means here is what it means to Debian's cron",
    "schedules.md: The tables of this page are checked by the tests.",
    "schedules.md: Try a schedule before you use it",
    "schedules.md: Two copies of the time zone database can play a part",
    "schedules.md: Keep the package `tzdata` up to date.",
    "schedules.md: (Where several entries of an array are due at the same times very often",
    "schedules.md: An example.",
    "schedules.md: A job `0 * * * *`; the worker is down from 09:30 to 13:30",
]
