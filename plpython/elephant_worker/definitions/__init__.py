"""Jobs as documents: made from one, written into one."""
