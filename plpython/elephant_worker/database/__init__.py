"""The control database, read and written by SPI."""
