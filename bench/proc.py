"""What /proc says of a process and of the machine. Linux only; elsewhere the figures are None and the tables say so."""

import os
import platform
import statistics
import tempfile
from pathlib import Path
from time import monotonic, sleep

from attrs import frozen

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads. Raises ProcessLookupError when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError as error:
        raise ProcessLookupError(f"no process {pid}") from error
    return (int(fields[11]) + int(fields[12])) / _TICKS


def core_busy_seconds(core: int) -> float:
    """Time this core was not idle, whoever used it (what the hypervisor took from it included)."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _idle, _iowait, irq, softirq, steal = (int(n) for n in line.split()[1:9])
            return (user + nice + system + irq + softirq + steal) / _TICKS
    return 0.0


@frozen
class Memory:
    """Bytes that the process alone holds (Private_Dirty), and of those the anonymous ones."""

    private_dirty: int
    anonymous: int
    resident: int


def memory(pid: int) -> Memory:
    kib: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        kib[name] = int(value.split()[0])
    return Memory(kib["Private_Dirty"] * 1024, kib["Anonymous"] * 1024, kib["Rss"] * 1024)


def tcp_memory_bytes() -> int:
    """What the kernel holds for all TCP sockets of the machine (both ends of a loopback connection)."""
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[line.split().index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def machine_line() -> str:
    """CPU model, cores, kernel, Python: without them a figure means nothing."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    kernel = f"{platform.system()} {platform.release()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {kernel}, {python}"


def sync_ms(directory: Path, times: int = 40) -> float:
    """The median time in which 4 KiB reach this disk now. Whatever is stored before it is shown pays at least this."""
    took = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(times):
            sleep(0.005)
            began = monotonic()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            took.append((monotonic() - began) * 1000)
    return statistics.median(took)


@frozen
class Pinning:
    """Which core the server has and which the generator. None: nobody was pinned (one core, or not our server)."""

    server: int | None
    generator: int | None


def pinning() -> Pinning:
    cores = sorted(os.sched_getaffinity(0))
    return Pinning(cores[0], cores[1]) if len(cores) >= 2 else Pinning(None, None)


def prefer(nice: int) -> None:
    """This priority for us and for the children to come. Where Linux groups processes by session, the session's counts
    as well. OSError: not allowed."""
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    group = Path("/proc/self/autogroup")
    if group.exists():
        group.write_text(str(nice))
