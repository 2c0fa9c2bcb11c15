"""Jobs of other schedulers, read into definitions of this one.

A module for each source, which is pure: `plan(given, caller)` reads what an import is given and says of each job or
line what it becomes, or why it is left out. The importer then does that, the same way for all.
"""
