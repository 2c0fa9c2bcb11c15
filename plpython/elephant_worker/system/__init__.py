"""What the operating system tells, and what it is told."""
