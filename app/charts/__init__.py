"""Charts as plain shapes: pages draw them as SVG, files as vectors of a PDF."""
