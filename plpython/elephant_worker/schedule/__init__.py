"""WHEN a job is due: what schedules mean. Pure: no database, no clock."""
