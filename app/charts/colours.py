"""What charts on paper are drawn with."""

from typing import Final

# the light theme's, as in static/tokens.css: what is printed is printed on white
SERIES: Final = ("#2f6fd0", "#b85c00", "#0f7566", "#9a3fa0", "#5f6814", "#b3185a")
INK, QUIET, LINE, STRONG, WHITE = "#1c2127", "#57606a", "#dfe3e7", "#87909a", "#ffffff"
WIDTHS: Final = {"grid": 0.6, "axis": 0.8, "line": 1.5, "before": 1.1, "hatch": 1.0}
