"""Draws the plots of docs/performance.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# A fixed salt makes the files reproducible; text is stored as text, not as paths.
matplotlib.rcParams.update({"svg.hashsalt": "booking", "svg.fonttype": "none", "font.family": "sans-serif"})

from matplotlib import pyplot  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402


def plot_clients(path: Path, clients: Sequence[int], rates: Sequence[float], p99s: Sequence[float]) -> None:
    """Plots bookings per second and the 99th percentile of the latency over the number of clients."""
    figure, (rate, latency) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    rate.plot(clients, rates, "o-")
    rate.set(title="Bookings over 1,000 shows, per second", ylim=(0, max(rates) * 1.15))
    latency.plot(clients, p99s, "o-", color="tab:red")
    latency.set(title="99th percentile, ms", ylim=(0, max(p99s) * 1.15))
    for axes in (rate, latency):
        axes.set_xscale("log", base=2)
        axes.set(xticks=clients, xticklabels=map(str, clients), xlabel="clients")
        axes.grid(alpha=0.3)
    save(figure, path)


def plot_growth(path: Path, stored: Sequence[int], latencies: Mapping[str, Sequence[float]]) -> None:
    """Plots the median latency of each kind of request over the number of stored bookings."""
    figure, axes = pyplot.subplots(figsize=(6, 3.4), layout="constrained")
    for name, milliseconds in latencies.items():
        axes.plot(stored, milliseconds, "o-", label=name)
    axes.set(xscale="log", xlabel="bookings stored", title="Median of a request, ms", xticks=stored)
    axes.set_ylim(0, max(map(max, latencies.values())) * 1.35)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper center", ncols=len(latencies))
    save(figure, path)


def plot_steps(path: Path, milliseconds: dict[str, float]) -> None:
    """Plots the milliseconds of each step of a booking as bars."""
    figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
    bars = axes.barh(list(milliseconds), list(milliseconds.values()))
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.invert_yaxis()
    axes.set(title="One booking under the profiler, ms", xlim=(0, max(milliseconds.values()) * 1.15))
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    # A white background, so that the plot is readable in dark mode.
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    pyplot.close(figure)
