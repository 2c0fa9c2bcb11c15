"""The version of the extension that this code belongs to; `make install` writes it anew from the control file."""

VERSION = "unreleased"
