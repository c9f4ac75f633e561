"""A dashboard as data, and as what Grafana reads. Places and ids are given out here, so that no two panels share any."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from grafana_foundation_sdk.builders import common as builders
from grafana_foundation_sdk.builders import dashboard, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

COLUMNS = 24
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")

LAST = builders.ReduceDataOptions().calcs(["lastNotNull"])

Kind = Literal["lines", "number", "heatmap"]


@dataclass(frozen=True, slots=True)
class Query:
    """`legend` is Grafana's template: `{{job}}`. `exemplars`: points that lead to a trace are drawn, too."""

    expr: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """`unit` in Grafana's words: `s`, `reqps`, `percentunit`, `short`. A number is red from `bad` on, or until `good`."""

    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    kind: Kind = "lines"
    width: int = 8
    height: int = 8
    bad: float | None = None
    good: float | None = None

    @property
    def steps(self) -> Sequence[tuple[float | None, str]]:
        """From which value on a number has which colour."""
        if self.good is not None:
            return (None, "red"), (self.good, "green")
        return (None, "green"), *([(self.bad, "red")] if self.bad is not None else ())


@dataclass(frozen=True, slots=True)
class Board:
    uid: str
    title: str
    description: str
    panels: Sequence[Panel]


def lines(title: str, description: str, unit: str, *queries: Query, width: int = 8) -> Panel:
    return Panel(title, description, unit, queries, "lines", width)


def number(
    title: str, description: str, unit: str, expr: str, *, bad: float | None = None, good: float | None = None
) -> Panel:
    return Panel(title, description, unit, (Query(expr),), "number", 4, 4, bad, good)


def render(board: Board) -> str:
    """The JSON that Grafana imports."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["orderly"])
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-30m", "now")
        .refresh("10s")
        .timezone("utc")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .link(
            dashboard.DashboardLink("Orderly")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["orderly"])
            .as_dropdown(True)
        )
    )
    for number, (panel, place) in enumerate(zip(board.panels, places(board.panels), strict=True), 1):
        built.with_panel(_panel(panel).id(number).grid_pos(place))
    return json.dumps(built.build(), cls=JSONEncoder, sort_keys=True, indent=1) + "\n"


def places(panels: Sequence[Panel]) -> list[models.GridPos]:
    """In rows, from left to right: a panel that does not fit into the row begins the next one."""
    places: list[models.GridPos] = []
    x = y = tallest = 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        places.append(models.GridPos(h=panel.height, w=panel.width, x=x, y=y))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return places


def _panel(panel: Panel) -> Any:
    match panel.kind:
        case "lines":
            built: Any = (
                timeseries.Panel()
                .line_width(1)
                .fill_opacity(8)
                .show_points(common.VisibilityMode.NEVER)
                .min(0)
                .legend(
                    builders.VizLegendOptions()
                    .display_mode(common.LegendDisplayMode.LIST)
                    .placement(common.LegendPlacement.BOTTOM)
                    .show_legend(True)
                )
                .tooltip(
                    builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
                )
            )
        case "number":
            built = stat.Panel().thresholds(_thresholds(panel)).reduce_options(LAST)
        case "heatmap":
            built = (
                heatmap.Panel()
                .color(
                    heatmap.HeatmapColorOptions()
                    .mode(heat.HeatmapColorMode.SCHEME)
                    .scheme("Blues")
                    .steps(64)
                    .exponent(0.5)
                )
                .y_axis(heatmap.YAxisConfig().unit(panel.unit))
                .cell_gap(1)
                .show_tooltip()
                .exemplars_color("rgba(255,0,255,0.7)")
            )
    if panel.kind == "number" and panel.unit == "short":
        built.decimals(0)
    built.title(panel.title).description(panel.description).unit(panel.unit).datasource(SOURCE)
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        built.with_target(_target(query, letter, panel.kind))
    return built


def _target(query: Query, letter: str, kind: Kind) -> prometheus.Dataquery:
    built = prometheus.Dataquery().expr(query.expr).ref_id(letter).datasource(SOURCE).range()
    if kind == "heatmap":
        built.format(PromQueryFormat.HEATMAP).legend_format("{{le}}")
    elif query.legend:
        built.legend_format(query.legend)
    return built.exemplar(query.exemplars)


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(color=colour, value=value) for value, colour in panel.steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
