"""Jobs of other schedulers, read into definitions of this one.

A module for each source, which is pure: `plan(given, caller)` reads what an import is given and says of each job or
line what it becomes, or why it is left out. The importer then does that, the same way for all.

What no schedule or job can say is left out, not brought over disabled: the next import would undo what somebody has
added by hand, in a job that is enabled by then. A job of which one step cannot be taken over is not taken apart, since
the rest here would run at other times than that step there.
"""
