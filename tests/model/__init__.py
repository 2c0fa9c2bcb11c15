"""A model of what becomes of jobs, written from the documents alone, and random histories to hold it against."""
