#!/bin/sh
# Prints the directory for the clusters of the tests. Creating and dropping a database there takes a third of the CPU
# time if files are kept in memory; that needs memory to spare, and a place that programs can be run from.
set -eu
memory=/dev/shm
needed=4194304 # kB; the tests take a third of that

fits() {
    [ -w "$memory" ] || return 1
    case ",$(findmnt --noheadings --output FSTYPE,OPTIONS --target "$memory" | tr ' ' ',')," in
    *,noexec,*) return 1 ;;
    ,tmpfs,*) ;;
    *) return 1 ;;
    esac
    [ "$(df -k --output=avail "$memory" | tail -n 1)" -ge $needed ] || return 1
    [ "$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)" -ge $((2 * needed)) ] || return 1
    # The limit of a container, by version 2 and version 1 of control groups.
    for limit in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
        [ ! -r $limit ] || awk -v kb=$((2 * needed)) '{exit !($1 == "max" || $1 >= kb * 1024)}' $limit || return 1
    done
}

if fits 2>/dev/null; then echo "$memory"; else echo /tmp; fi
