"""The daemon: the loop that starts what is due, and its parts."""
