"""Pictures of runs and operations; none needs a display."""
