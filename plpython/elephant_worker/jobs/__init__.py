"""WHAT becomes of a job and its runs. Pure: no database, no clock."""
