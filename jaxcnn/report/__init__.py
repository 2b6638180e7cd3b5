"""Pictures of a run, drawn by matplotlib without a display."""
