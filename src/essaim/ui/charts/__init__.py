"""Charts drawn by the server as SVG, each with the table that says the same.

    from essaim.ui import charts
    chart = charts.line(_("Votes per minute"), [charts.Series(_("Votes"), tuple(charts.Point(x, y) for ...))])
    chart = charts.opinion_bars(title, [charts.Votes("We meet too much", 62, 20, 18)])
    effects = [charts.Effect(label, 0.1, 0.02, 0.18, n=214)]
    chart = charts.forest(title, effects, reference=(_("no difference"), 0), fmt=percent)
    cells = [[charts.Cell(3.4, 12), charts.Cell(None, suppressed=True)]]
    chart = charts.heat_map(title, items, units, cells, top=5)
    groups = [charts.Blob("A", 120, -0.4, 0.2)]
    chart = charts.opinion_map(title, groups, x=xs, y=ys, group=gs, you=(0.1, 0.3))
    chart = charts.phases(title, [charts.Phase(label, starts, ends, "current")], now=now)
    spark = charts.sparkline(title, values)              {% stat ... chart=spark %}

Show it with `{% chart chart %}` (figure, heading, wide and narrow drawing, table). Texts are escaped and
may be long. Colours come from CSS classes (static/ui/charts.css): both themes and print need nothing.
Nothing is told by colour alone.
"""

from essaim.ui.charts.bars import Votes, opinion_bars
from essaim.ui.charts.canvas import Chart, Twin
from essaim.ui.charts.heat import Cell, heat_map
from essaim.ui.charts.intervals import Effect, forest
from essaim.ui.charts.line import Point, Series, line, sparkline
from essaim.ui.charts.opinion import Blob, opinion_map
from essaim.ui.charts.phases import Phase, phases

__all__ = [
    "Blob",
    "Cell",
    "Chart",
    "Effect",
    "Phase",
    "Point",
    "Series",
    "Twin",
    "Votes",
    "forest",
    "heat_map",
    "line",
    "opinion_bars",
    "opinion_map",
    "phases",
    "sparkline",
]
