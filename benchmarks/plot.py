"""A chart of the latencies."""

from pathlib import Path
from typing import Any, Final

from .table import Table

SIZE_INCHES: Final = (9, 4.5)
DOTS_PER_INCH: Final = 130
BAR_WIDTH: Final = 0.8
COLORS: Final = ("#9e9e9e", "#03a9f4", "#01579b", "#ff9800")


def plot_latency(table: Table, path: Path) -> None:
    """Draw the median of each client and round-trip time, and each mail as a dot."""
    # Importing it takes a second, and only this function needs it.
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    round_trips = sorted({row.round_trip for row in table.rows})
    clients = list(dict.fromkeys(row.client for row in table.rows))
    width = BAR_WIDTH / len(clients)
    for number, client in enumerate(clients):
        rows = [row for row in table.rows if row.client == client]
        offset = (number - (len(clients) - 1) / 2) * width
        places = [round_trips.index(row.round_trip) + offset for row in rows]
        color = COLORS[number % len(COLORS)]
        medians = [row.p50 for row in rows]
        axes.bar(places, medians, width * 0.9, label=client, color=color)
        _scatter(axes, places, rows)
    axes.set_xticks(range(len(round_trips)), [f"{ms} ms away" for ms in round_trips])
    axes.set_ylabel("ms from the server's announcement")
    axes.set_title("From announcement to event: median, and each email")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=DOTS_PER_INCH)


def _scatter(axes: Any, places: list[float], rows: list[Any]) -> None:
    """Draw each mail as a dot and write the median above."""
    for place, row in zip(places, rows, strict=True):
        label = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center"}
        axes.annotate(f"{row.p50:.0f}", (place, max(row.samples)), fontsize=8, **label)
        axes.scatter([place] * len(row.samples), row.samples, s=4, color="#00000055")
